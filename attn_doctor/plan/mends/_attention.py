"""Attention packages that do not work, and the file of each that would."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.judgement import binaries, wheel_choice
from attn_doctor.judgement.backends._package import mismatch
from attn_doctor.judgement.rules._demands import meets, of_torch, same_minor
from attn_doctor.judgement.rules.wheel_for_another_python import loads
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.facts import Known
from attn_doctor.machine.probes.deep import Import
from attn_doctor.plan.mends._mend import EXCUSES, Ailing
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import Wheel

CODES = ("AD306", "AD312", "AD401", "AD402", "AD403", "AD404", "AD405", "AD408", "AD420")
MISSING_MODULE = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'")
BUILT_FOR_OLD_LIBC = ("manylinux", "musllinux")


def attention(package: str) -> bool:
    """Whether it brings a backend and nothing else: sdpa does what it did."""
    return package in catalogue.packages()


def broken(ailing: Ailing) -> Iterator[tuple[str, str]]:
    """Package and why it does not work, of those that are no part of torch itself."""
    for package in ailing.machine.packages:
        if package not in ("torch", "torchvision", "torchaudio") and (why := _why(ailing, package)):
            yield package, why


def _why(ailing: Ailing, package: str) -> str | None:
    machine, found = ailing.machine, ailing.machine.packages[package]
    if any(binaries.lacks_libstdcxx(machine, file) for file in binaries.files(machine, package)):
        return None  # another C++ library, not another file
    if proof := binaries.proof(machine, package):
        return proof
    if machine.python and not loads(found, machine.python):
        return f"it is made for another Python ({found.tags[0]})"
    if "AD408" in ailing.findings and (said := mismatch(machine, found)):
        return said
    if package == "xformers" and "AD306" in ailing.findings and _demands_another(machine, package):
        return f"it is made for torch{of_torch(package, found)[0]}"
    finding = ailing.findings.get("AD404")
    if (
        finding
        and finding.severity == "error"
        and any(binaries.lacks_code(machine, package, gpu) for gpu in machine.nvidia)
    ):
        return "it has no code for this GPU"
    return _import_error(ailing, package)


def _demands_another(machine: Machine, package: str) -> bool:
    torch, demanded = machine.torch, of_torch(package, machine.packages[package])
    return bool(torch and demanded and not meets(torch, demanded) and not same_minor(torch.version, demanded))


def _import_error(ailing: Ailing, package: str) -> str | None:
    deep = ailing.machine.facts.readings.get("deep")
    imports = deep.value if isinstance(deep, Known) else {}
    torch, own = imports.get("torch"), imports.get(package)
    if (
        own is None
        or not own.error
        or (torch and torch.error)
        or (package == "xformers" and "AD323" in ailing.findings)
    ):
        return None
    if any(name in own.error for name in EXCUSES) or ("AD315" in ailing.findings and lacks_another(own)):
        return None
    return f"import {own.module}: {own.error}"


def lacks_another(found: Import) -> bool:
    """Whether it fails for a module that is none of the package's own, which says nothing against its files."""
    missing = MISSING_MODULE.search(found.error or "")
    return missing is not None and not missing[1].startswith(found.module.partition(".")[0])


def fitting_file(machine: Machine, package: str) -> Wheel | None:
    """The published file that loads here as things are."""
    if package not in catalogue.packages():
        return None
    gpu = next(iter(machine.nvidia), None)
    found = wheel_choice.fits(machine, gpu, package, binaries.series(machine, package))
    old = any(binaries.lacks_libc(machine, file) for file in binaries.files(machine, package))
    return next((wheel for wheel in found if not old or wheel.platform.startswith(BUILT_FOR_OLD_LIBC)), None)


def without_a_file(machine: Machine, package: str, why: str) -> str:
    """Why the package goes, and where the policy is what keeps the file away that would serve."""
    gpu = next(iter(machine.nvidia), None)
    said = wheel_choice.kept_away(machine, package, gpu, binaries.series(machine, package))
    return f"{why}; {said}" if said else why
