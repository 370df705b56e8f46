"""What backends have in common that a package of their own brings: which build is installed, and does it fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement.backend import Obstacle, worst
from attn_doctor.knowledge.capability import short
from attn_doctor.knowledge.versions import major, major_minor, public

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu
    from attn_doctor.machine.probes.packages import Package

BUILD = r"(?i)(?:cu(?P<cuda>\d+))?(?:torch(?P<torch>\d+\.?\d+))?(?:cxx11abi(?P<abi>TRUE|FALSE))?"


def parse_build(build: str) -> tuple[str | None, str | None, bool | None]:
    """('12', '2.7', True) from 'cu12torch2.7cxx11abiTRUE': CUDA major, torch minor, C++ ABI; None where not said."""
    match = re.search(BUILD, build)
    if match is None:
        return None, None, None
    cuda = match["cuda"]
    major_only = cuda if cuda is None or len(cuda) <= 2 else cuda[:2]  # noqa: PLR2004 - cu12, cu128
    abi = match["abi"].upper() == "TRUE" if match["abi"] else None
    return major_only, match["torch"], abi


def mismatch(machine: Machine, package: Package) -> str | None:
    """How an installed build differs from the installed torch; None where it fits or does not say."""
    torch = machine.torch
    if torch is None or not package.build:
        return None
    cuda, minor, abi = parse_build(package.build)
    if minor and "." in minor and minor != major_minor(public(torch.version)):
        return f"{package.version} was built for torch {minor}; torch {torch.version} is installed"
    if cuda and torch.cuda and int(cuda) != major(torch.cuda):
        return f"{package.version} was built for CUDA {cuda}; torch {torch.version} is CUDA {torch.cuda}"
    real = real_abi(package, minor, abi)
    if machine.os == "linux" and real is not None and torch.cxx11abi is not None and real != torch.cxx11abi:
        label = "new" if real else "old"
        return f"{package.version} was built for the {label} C++ ABI; torch {torch.version} has the other"
    return None


def unfit(machine: Machine, gpu: Gpu | None, name: str, package: Package) -> str | None:
    """Why an installed package does not run here: what its files prove, else what its name says."""
    from attn_doctor.judgement import binaries  # only where the package is installed

    if proof := binaries.proof(machine, name):
        return f"{package.version} does not load: {proof}"
    if binaries.lacks_code(machine, name, gpu):
        return f"{package.version} has no code for this GPU: {short(binaries.architectures(machine, name))}"
    return mismatch(machine, package)


def real_abi(package: Package, minor: str | None, label: bool | None) -> bool | None:
    """The C++ ABI that a build has: as the catalogue knows the file, since some labels lie; else a TRUE label.

    FALSE was never forced: a file so labelled has the ABI of the torch it was built with. One that the catalogue does
    not know is believed only when it says TRUE.
    """
    from attn_doctor.wheels.catalogue import wheels

    stem = f"{public(package.version)}+{package.build}-"
    listed = wheels("flash-attn", minor) if minor else ()
    published = next((wheel for wheel in listed if wheel.filename.partition("-")[2].startswith(stem)), None)
    return published.cxx11abi if published else label or None


class Brought(msgspec.Struct, frozen=True):
    """The distribution that brings a backend. `series`: flash-attn's 1.x and 2.x are two backends of one name."""

    package: str
    series: str | None = None

    def installed(self, machine: Machine) -> Package | None:
        """What is there of it."""
        found = machine.packages.get(self.package)
        return found if found and self.series in (None, str(major(found.version))) else None

    def version(self, machine: Machine) -> str | None:
        """Of what is installed."""
        found = self.installed(machine)
        return found.version if found else None

    def remarks(self, machine: Machine, _gpu: Gpu | None, _need: Need) -> tuple[str, ...]:
        """What is known of the installed build."""
        found = self.installed(machine)
        if found is None:
            return ()
        said = f", built for {found.build}" if found.build and found.build not in found.version else ""
        return (found.version + said,)

    def ways(self, machine: Machine, gpu: Gpu | None, wrong: str | None = None) -> Iterator[Obstacle]:
        """Nothing where a fitting build is installed, else how one comes in. `wrong`: what is known against it."""
        from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

        series = self.series or "2"
        found = self.installed(machine)
        problem = wrong or (unfit(machine, gpu, self.package, found) if found else None)
        if found is None:
            yield from wheel_choice.ways(machine, gpu, self.package, series)
        elif problem:
            nearest = list(wheel_choice.ways(machine, gpu, self.package, series))
            yield Obstacle(worst(nearest), problem)
            yield from nearest
