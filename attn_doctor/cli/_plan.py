"""What `install` and `repair` do alike with a plan: refuse a call, render it, say the call again, carry it out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attn_doctor.cli import _change, options
from attn_doctor.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from attn_doctor.machine.gather import Facts
    from attn_doctor.plan.plan import Plan

FORMATS = ("text", "json", "sh")


def refuse_imagined(offline: bool, facts: str | None, what_ifs: list[str]) -> None:
    """Raises UsageError: what is carried out is carried out here, and what is installed is fetched."""
    if offline:
        raise UsageError("--offline goes with --dry-run: what is installed is fetched first")
    if facts is not None or what_ifs:
        raise UsageError(
            "--facts and --what-if imagine a machine: nothing is carried out there", "Add --dry-run for the plan."
        )


def rendered(one: Plan, form: str, *, verbose: bool, call: str | None, stale: bool = False) -> str:
    """The plan in that format. `call`: None where it is about to be done."""
    from attn_doctor.reporters import _plan, _script

    if form == "sh":
        if one.os == "windows":
            raise UsageError(
                "--format sh: there is no POSIX shell on Windows", "Take the commands of the text instead."
            )
        return _script.script(one)
    if form == "json":
        return _plan.document(one)
    return _plan.text(one, verbose=verbose, call=call, stale=stale)


def again(words: Sequence[str], given: Mapping[str, object]) -> str:
    """A call with its options, each with the value that was given; what was not given stays away."""
    found = [*words]
    for option, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            if one is True:
                found.append(option)
            elif one not in (None, False):
                found += [option, str(one)]
    return shlex.join(found)


def carried_out(one: Plan, yes: bool, facts: Callable[[], Facts], verbose: bool) -> int:
    """Asked once, done, and said; the exit code."""
    if not one.possible or not one.steps:
        return 0 if one.possible else 1
    _change.confirm("Do it?", yes)
    done = _change.carry_out(one, facts, verbose)
    options.progress(f"done and verified: {done.title or one.title}. To undo it: attn-doctor rollback {done.id}")
    return 0
