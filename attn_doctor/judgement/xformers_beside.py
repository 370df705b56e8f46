"""What xFormers takes of the flash-attn beside it: its import looks at the version, and raises.

From 0.0.30 on `import xformers.ops` takes a folder `flash_attn` for flash-attn 2, asks its version, and raises an
ImportError where that is none it was tried with. Where no flash-attn is installed it uses torch's own kernels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from attn_doctor.knowledge.requirements import requirement, satisfies
from attn_doctor.knowledge.versions import public

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.knowledge.requirements import Requirement
    from attn_doctor.wheels.catalogue import Wheel

TWO, FOUR = "flash-attn", "flash-attn-4"
UNCHECKED = "XFORMERS_IGNORE_FLASH_VERSION_CHECK"  # 1: it takes every version
OWN_KERNELS = "_C_flashattention."  # a build that brings them asks no other package


def demanded(machine: Machine, version: str | None = None) -> Requirement | None:
    """What xFormers (default: the one that is installed) demands of a flash-attn; None where it takes any."""
    version = version or _installed(machine)
    row = requirement("xformers", version, TWO) if version else None
    return row if row and row.os in (None, machine.os) else None


def _installed(machine: Machine) -> str | None:
    """The version that is there, where it brings no kernels of its own."""
    from attn_doctor.judgement import binaries

    package = machine.packages.get("xformers")
    own = any(binaries.name(file).startswith(OWN_KERNELS) for file in binaries.files(machine, "xformers"))
    return package.version if package and not own else None


def accepts(machine: Machine, row: Requirement, flash_attn: str) -> bool:
    """Whether that flash-attn may lie beside it."""
    return satisfies(public(flash_attn), row.specifier) or machine.environment.get(UNCHECKED) == "1"


def refused(machine: Machine, version: str | None = None) -> str | None:
    """Why xFormers (default: the one that is installed) cannot be imported beside what is there; None where it can."""
    row = demanded(machine, version)
    if row is None:
        return None
    two, four = machine.packages.get(TWO), machine.packages.get(FOUR)
    if two:
        taken = accepts(machine, row, two.version)
        return None if taken else f"takes {TWO}{row.specifier}, and {public(two.version)} lies beside it"
    return f"takes the folder flash_attn of {FOUR} for that of {TWO}, which is not there" if four else None


def preferred(machine: Machine, found: Iterable[Wheel]) -> list[Wheel]:
    """Files in their order; of flash-attn's those first that an installed xFormers takes, of xFormers' none in vain."""
    row = demanded(machine)
    can = [wheel for wheel in found if wheel.package != "xformers" or refused(machine, wheel.version) is None]
    return sorted(
        can, key=lambda wheel: bool(row and wheel.package == TWO and not accepts(machine, row, wheel.version))
    )
