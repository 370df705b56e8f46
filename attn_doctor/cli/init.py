"""attn-doctor init."""

from __future__ import annotations

import os
from typing import Annotated

from typer import Option

from attn_doctor.cli import options
from attn_doctor.errors import UsageError


def init(
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    need: options.Needs = [],  # noqa: B006
    dry_run: Annotated[bool, Option("--dry-run", help="Print it and write nothing.")] = False,
    force: Annotated[bool, Option("--force", help="Take the place of a policy that is there.")] = False,
    schema: Annotated[bool, Option("--schema", help="Print the JSON Schema of policies, for editors.")] = False,
    output: options.Output = None,
) -> None:
    """Write a first policy from this machine: into pyproject.toml where there is one, else attn-doctor.toml.

    It is shown as well. It requires what runs here today, and `attn-doctor check` holds every machine to it.
    """
    if schema:
        from attn_doctor.schemas import source

        options.write(source("policy"), output, exact=True)
        return
    from attn_doctor.judgement import check
    from attn_doctor.judgement import need as needs
    from attn_doctor.policy import draft, find, splice
    from attn_doctor.policy.draw_up import drawn_up

    path, data = splice.place()
    before = splice.existing(path, data)
    printed = dry_run or output is not None
    if before and not (force or printed):
        raise UsageError(f"there is a policy already: {before}", "--force writes it anew, --dry-run only prints one.")
    report = check.check(options.gather_facts(python, venv, facts, what_if), needs.parse(need))
    folder = os.path.dirname(path)
    own_file = data is None or os.path.exists(os.path.join(folder, find.OWN_FILE))
    target = ("venv", venv) if venv else ("python", python) if python else None
    one = drawn_up(report, need, folder, target)
    text = draft.text(one, own_file=own_file)
    options.write(text, output, exact=True)
    if printed:
        return
    if own_file:
        path = os.path.join(folder, find.OWN_FILE)
    splice.write(path, text.encode() if own_file else splice.placed(data or b"", find.shown(path), text))
    _say_how_to_check(find.shown(path), target if one.target is None else None)


def _say_how_to_check(path: str, outside: tuple[str, str] | None) -> None:
    """`outside`: the option and the path of a target that lies elsewhere, and which the policy therefore leaves out."""
    options.progress(f"attn-doctor: written to {path}")
    if outside is None:
        options.progress("  attn-doctor check holds this machine to it")
        return
    from shlex import quote

    options.progress("  without its target, which lies outside the project; it is held to it by:")
    options.progress(f"  attn-doctor check --{outside[0]} {quote(outside[1])}")
