"""AD323 xformers-refuses-flash-attn

xFormers from 0.0.30 on uses a flash-attn that is installed, and takes only the versions it was tried with: beside
another one `import xformers.ops` ends with "ImportError: Requires Flash-Attention version >=2.7.1,<=2.8.2 but got
2.8.3". Beside flash-attn-4 alone it takes that folder for flash-attn 2 and ends with "No module named
'flash_attn.flash_attn_interface'". Whatever imports xFormers (diffusers, unsloth, DINOv2) fails with it.

A flash-attn of a version that it takes mends both. XFORMERS_IGNORE_FLASH_VERSION_CHECK=1 has it take every version;
nobody promises that the functions are still the same. Without any flash-attn it uses torch's own kernels.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement import commands, xformers_beside
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.packages import Package


def check(machine: Machine, packages: dict[str, Package]) -> Problem | None:
    why = xformers_beside.refused(machine)
    if why is None:
        return None
    said = f"xformers {packages['xformers'].version} {why}. `import xformers.ops` raises an ImportError."
    return Problem(said, tuple(_fixes(machine, packages)))


def _fixes(machine: Machine, packages: dict[str, Package]) -> Iterator[str]:
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    row = xformers_beside.demanded(machine)
    found = wheel_choice.fits(machine, next(iter(machine.nvidia), None), xformers_beside.TWO)
    taken = next((wheel for wheel in found if row and xformers_beside.accepts(machine, row, wheel.version)), None)
    if taken:
        yield commands.install_wheel(machine, taken)
    if xformers_beside.TWO in packages:
        name = xformers_beside.UNCHECKED
        yield f'$env:{name} = "1"' if machine.os == "windows" else f"export {name}=1"
    elif not taken:
        yield commands.uninstall(machine, "xformers")


RULE = Rule(
    "AD323", "xformers-refuses-flash-attn", "error", "xFormers cannot be imported beside this flash-attn", check
)
