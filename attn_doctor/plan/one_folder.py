"""flash-attn and flash-attn-4 write the same files: what is done to the first is followed by the second.

The wheels of flash-attn 2.8 hold a flash_attn/cute of their own, an older one than flash-attn-4's: 20 of its files have
the same names. Installing flash-attn puts the old ones there, taking it away takes those of flash-attn-4 along.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement import wheel_choice
from attn_doctor.judgement.allowed import INDEX
from attn_doctor.judgement.view import Machine
from attn_doctor.plan import steps
from attn_doctor.plan.plan import Plan, Step

TWO, FOUR = "flash-attn", "flash-attn-4"
STEP = "beside"


def again(machine: Machine, changed: str) -> tuple[Step, ...]:
    """The step that brings flash-attn-4 back to its own files, after `changed` came or went; nothing where it has none.

    One from a repository or a file is not touched: no index has that version.
    """
    four = machine.packages.get(FOUR)
    if changed != TWO or four is None or four.origin or "+" in four.version or ".dev" in four.version:
        return ()
    title = f"install {FOUR} {four.version} again: {TWO} has files of the same names"
    option = steps.again(machine, FOUR)
    return (steps.install(machine, title, option, "--no-deps", f"{FOUR}=={four.version}", step=STEP),)


def not_allowed(machine: Machine, one: Plan) -> Iterator[str]:
    """Where that step would take a file of the package index, and the policy does not allow it."""
    taken = any(step.id.startswith(STEP) for step in one.steps)
    if taken and machine.allowed and not wheel_choice.by_name(machine, FOUR):
        yield f"{FOUR} would have to come again from {INDEX}, which {machine.allowed.said_at} does not allow"
