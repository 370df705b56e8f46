"""Several packages agree on one torch, and another is there: that one torch comes back, and all of them fit again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from attn_doctor.judgement import torch_choice
from attn_doctor.judgement.backends._package import mismatch, parse_build
from attn_doctor.judgement.rules._demands import meets, of_torch
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.knowledge.versions import major, major_minor
from attn_doctor.plan import steps
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._attention import fitting_file, without_a_file
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.ways.another_torch import for_the_cpu, torch_changes

COMPANIONS = ("torchvision", "torchaudio")
AGREED = 2
CODES = ("AD303", "AD304", "AD306", "AD402", "AD403", "AD408")


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    if ailing.plain or machine.torch is None or not machine.torch.released:
        return
    wanted = {name: minor for name in machine.packages if (minor := made_for(machine, name))}
    if not wanted:
        return
    minor, count = Counter(wanted.values()).most_common(1)[0]
    own = [name for name, one in wanted.items() if one == minor]
    compiled = [name for name in own if name not in COMPANIONS]
    lost = [name for name in compiled if fitting_file(machine, name) is None]
    if count <= len(_at_home(machine)) or (not lost and (count < AGREED or not compiled)):
        return
    build = _build(machine, minor, own)
    if build is None:
        return
    why = f"built for torch {minor}, before torch {machine.torch.version} came: {', '.join(own)}"
    changes = torch_changes(_parts.case(ailing), build)
    yield Part(
        cures=CODES,
        title=f"{torch_choice.label(build)} back",
        why=without_a_file(machine, lost[0], why) if lost else why,
        steps=_parts.because(steps.torch(machine, build), why),
        changes=tuple(change for change in changes if change.before != change.after),
        cost_bytes=build.wheel_bytes,
    )


def made_for(machine: Machine, name: str) -> str | None:
    """'2.8': the minor that a package was made for, where the torch that is there is another."""
    package, torch = machine.packages[name], machine.torch
    if torch is None:
        return None
    if package.build and mismatch(machine, package):
        minor = parse_build(package.build)[1]
        if minor and "." in minor:
            return minor if minor != major_minor(torch.version) else None
    demanded = _demanded(machine, name)
    if not demanded or meets(torch, demanded) or not all(one.startswith("==") for one in demanded):
        return None
    stated = major_minor(demanded[0].removeprefix("=="))
    return stated if stated != major_minor(torch.version) else None


def _at_home(machine: Machine) -> list[str]:
    """What says that it was made for the torch that is there."""
    torch = machine.torch
    return [
        name
        for name, package in machine.packages.items()
        if torch
        and (
            ((one := _demanded(machine, name)) and one[0].startswith("==") and meets(torch, one))
            or (package.build and parse_build(package.build)[1] and not mismatch(machine, package))
        )
    ]


def _demanded(machine: Machine, name: str) -> tuple[str, ...]:
    return of_torch(name, machine.packages[name]) if name in (*COMPANIONS, "xformers") else ()


def _build(machine: Machine, minor: str, own: list[str]) -> Build | None:
    """The newest of that minor that runs here, of the CUDA that the packages were built for."""
    torch = machine.torch
    if torch is None:
        return None
    demanded = {one.removeprefix("==") for name in own for one in _demanded(machine, name)}
    cuda = {parsed for name in own if (parsed := parse_build(machine.packages[name].build or "")[0])}
    listed = torch_choice.suitable(machine) if torch.cuda else list(for_the_cpu(machine))
    fits = [
        build
        for build in listed
        if major_minor(build.torch) == minor
        and (not demanded or build.torch in demanded or not any(major_minor(one) == minor for one in demanded))
        and (not cuda or build.cuda is None or str(major(build.cuda)) in cuda)
    ]
    same = [build for build in fits if build.cuda == torch.cuda]
    return next(iter(sorted(same or fits, key=lambda build: not build.on_pypi)), None)


MEND = Mend("torch_moved_away", 25, CODES, parts)
