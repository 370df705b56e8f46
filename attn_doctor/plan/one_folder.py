"""flash-attn and flash-attn-4 write the same files: what is done to the first is followed by the second.

The wheels of flash-attn 2.8 hold a flash_attn/cute of their own, an older one than flash-attn-4's: 20 of its files have
the same names. Installing flash-attn puts the old ones there, taking it away takes those of flash-attn-4 along.
"""

from __future__ import annotations

from attn_doctor.judgement.view import Machine
from attn_doctor.plan import steps
from attn_doctor.plan.plan import Step

TWO, FOUR = "flash-attn", "flash-attn-4"


def again(machine: Machine, changed: str) -> tuple[Step, ...]:
    """The step that brings flash-attn-4 back to its own files, after `changed` came or went; nothing where it has none.

    One from a repository or a file is not touched: no index has that version.
    """
    four = machine.packages.get(FOUR)
    if changed != TWO or four is None or four.origin or "+" in four.version or ".dev" in four.version:
        return ()
    title = f"install {FOUR} {four.version} again: {TWO} has files of the same names"
    option = steps.again(machine, FOUR)
    return (steps.install(machine, title, option, "--no-deps", f"{FOUR}=={four.version}", step="beside"),)
