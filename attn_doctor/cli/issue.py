"""attn-doctor issue."""

from __future__ import annotations

from typing import Annotated

import typer

from attn_doctor.cli import options
from attn_doctor.errors import UsageError


def issue(
    project: Annotated[
        str | None,
        typer.Argument(metavar="PROJECT", help="pytorch, flash-attention, transformers, vllm or xformers."),
    ] = None,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    need: options.Needs = [],  # noqa: B006
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, markdown or json; the first two are one.")
    ] = "text",
    output: options.Output = None,
    offline: options.Offline = False,
) -> None:
    """Print the block about your machine that a project asks for in a report of a bug: markdown, to paste.

    It is read from files: torch is not run. Home folder, names of user and host, and tokens are left out.
    """
    from attn_doctor.execute import privacy
    from attn_doctor.issues import _project
    from attn_doctor.judgement import check
    from attn_doctor.judgement import need as needs
    from attn_doctor.judgement.view import Machine
    from attn_doctor.reporters._lines import as_json, printed

    options.one_of("--format", form, ("text", "markdown", "json"))
    if project is None:
        raise UsageError("an issue of which project?", f"Projects: {', '.join(_project.projects())}.")
    wanted = _project.project(project)
    needed = needs.parse(need)
    del offline  # nothing is asked of a network
    found = options.gather_facts(python, venv, facts, what_if)
    machine = Machine(found)
    # facts may be of another machine, and paths of this one may name others
    who = privacy.both(
        privacy.of_this_process(machine.python.prefix if machine.python else ""), privacy.of_facts(found)
    )
    made = _project.write(wanted, machine, check.check(found, needed), hide=lambda text: privacy.said(text, who))
    options.write(as_json(made) if form == "json" else printed([made.body.rstrip("\n")]), output, exact=form == "json")
