"""attn-doctor repair."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from attn_doctor.cli import _change, options
from attn_doctor.errors import UsageError

if TYPE_CHECKING:
    from attn_doctor.machine.gather import Facts
    from attn_doctor.plan.plan import Plan

FORMATS = ("text", "json", "sh")


def repair(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is carried out.")] = False,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    form: options.PlanFormat = "text",
    output: options.Output = None,
    offline: options.Offline = False,
    verbose: options.Verbose = False,
) -> int:
    """Find what is broken in the target environment, plan the smallest mend, carry it out.

    torch and the attention packages are imported, in child processes, to see what files do not say. What was there
    before is kept: attn-doctor rollback puts it back.
    """
    from attn_doctor.plan import repair as plans

    options.one_of("--format", form, FORMATS)
    dry_run = dry_run or form == "sh"  # the script is what was asked for
    if offline and not dry_run:
        raise UsageError("--offline goes with --dry-run: what is installed is fetched first")
    if not dry_run:
        _change.refuse_imagined(facts, what_if)
        _change.put_back_first(python, venv)

    def gathered() -> Facts:
        return options.gather_facts(python, venv, facts, what_if, deep=facts is None)

    found = gathered()
    if not dry_run and _change.recovered(found):
        found = gathered()
    one = plans.plan(found)
    if options.say_fault():
        one = plans.plan(found)  # the catalogue changed on the way
    given: dict[str, object] = {"--python": python, "--venv": venv, "--facts": facts, "--what-if": what_if}
    options.write(_rendered(one, form, verbose, _again(given), dry_run), output, exact=form != "text")
    if dry_run or not one.possible or not one.steps:
        return 0 if one.possible else 1
    _change.confirm("Do it?", yes)
    done = _change.carry_out(one, lambda: options.gather_facts(python, venv, None, []), verbose)
    options.progress(f"done and verified: {one.title}. To undo it: attn-doctor rollback {done.id}")
    return 0


def _rendered(one: Plan, form: str, verbose: bool, again: str, dry_run: bool) -> str:
    from attn_doctor.reporters import _plan, _script

    if form == "sh":
        if one.os == "windows":
            raise UsageError(
                "--format sh: there is no POSIX shell on Windows", "Take the commands of the text instead."
            )
        return _script.script(one)
    if form == "json":
        return _plan.document(one)
    return _plan.text(one, verbose=verbose, call=again if dry_run else None)


def _again(given: dict[str, object]) -> str:
    """The call without what shapes its output."""
    words = ["attn-doctor", "repair", "--dry-run"]
    for option, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                words += [option, str(one)]
    return shlex.join(words)
