"""attn-doctor facts."""

from __future__ import annotations

from attn_doctor.cli import options


def facts(
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    form: options.Format = "json",
    output: options.Output = None,
    offline: options.Offline = False,
    deep: options.Deep = False,
) -> None:
    """Print the probed facts as JSON, nothing judged. The output is valid input for --facts anywhere."""
    from attn_doctor.machine.gather import encode

    options.one_of("--format", form, ("json",))
    del offline  # probing makes no network call
    options.write(encode(options.gather_facts(python, venv, facts, what_if, deep)).decode(), output, exact=True)
