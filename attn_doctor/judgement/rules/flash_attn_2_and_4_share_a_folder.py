"""AD310 flash-attn-2-and-4-share-a-folder

flash-attn and flash-attn-4 both install into the folder `flash_attn`; flash-attn-4 has its part in `flash_attn/cute`
and brings no `flash_attn/__init__.py` of its own. Together they work in one folder. flash-attn 2.8 has an older
`flash_attn/cute` in its wheel: upgrading it replaces files of flash-attn-4, uninstalling it takes them along. Install
flash-attn-4 last; plans of attn-doctor that touch flash-attn do so.

In two folders they do not work together: a `flash_attn` with an `__init__.py` hides every other one on the path, and
`flash_attn.cute` with it.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.packages import Package


def check(machine: Machine, packages: dict[str, Package]) -> Problem | None:
    two, four = packages.get("flash-attn"), packages.get("flash-attn-4")
    if two is None or four is None:
        return None
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    again = commands.reinstall(machine, "flash-attn-4", four.version)
    fix = (again,) if wheel_choice.by_name(machine, "flash-attn-4") else ()
    both = f"flash-attn {two.version} and flash-attn-4 {four.version}"
    if two.location and four.location and two.location != four.location:
        return Problem(
            f"{both} are in two folders ({two.location}, {four.location}): the first hides flash_attn.cute of the "
            "second.",
            fix,
            title="flash-attn hides flash-attn-4",
            severity="warning",
        )
    return Problem(
        f"{both} share the folder flash_attn. That works; after a change of flash-attn reinstall flash-attn-4.", fix
    )


RULE = Rule("AD310", "flash-attn-2-and-4-share-a-folder", "info", "flash-attn and flash-attn-4 share a folder", check)
