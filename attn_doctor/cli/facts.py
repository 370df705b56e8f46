"""attn-doctor facts."""

from __future__ import annotations

from typing import Annotated

import typer

from attn_doctor.cli import _report, options


def facts(
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    form: options.Format = "json",
    output: options.Output = None,
    offline: options.Offline = False,
    deep: options.Deep = False,
    as_is: Annotated[
        bool,
        typer.Option(
            "--as-is", help="Leave home folder, user and host names in: for a plan that is carried out on this machine."
        ),
    ] = False,
) -> None:
    """Print the probed facts as JSON, nothing judged. The output is valid input for --facts anywhere."""
    from attn_doctor.machine.gather import encode

    options.one_of("--format", form, ("json",))
    del offline  # probing makes no network call
    found = options.gather_facts(python, venv, facts, what_if, deep)
    shown = _report.cleaned_facts(found, as_is=as_is, from_file=facts is not None)
    options.write(encode(shown).decode(), output, exact=True)
