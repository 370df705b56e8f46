"""The one torch that a file should have where its own will not do: every fix of a judgement goes by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement.view import driver_runs
from attn_doctor.knowledge import attention, capability, torch_builds
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.knowledge.versions import major, major_minor, numbers
from attn_doctor.plan.dockerfile.case import Case
from attn_doctor.plan.dockerfile.files import fitting_wheels
from attn_doctor.plan.dockerfile.pip import is_file
from attn_doctor.plan.dockerfile.stages import Walk
from attn_doctor.plan.dockerfile.torch_line import UNPINNED, faults
from attn_doctor.plan.dockerfile.torches import Torch, has_unknown_index, index_cuda

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

FLASH_ATTN = "flash-attn"


class Advice(msgspec.Struct, frozen=True):
    """A torch build, and the lines whose torch it replaces."""

    build: Build
    lines: frozenset[int]


class _File(msgspec.Struct, frozen=True):
    """What the file asks of a torch."""

    faulty: tuple[Case, ...]
    kept: tuple[Torch, ...]
    """The torches that can stay."""
    installs_flash_attn: bool


def advice(walked: Walk, machine: Machine) -> Advice | None:
    """None where every torch can stay, or none is known that would do."""
    file = _read(walked, machine)
    if not file.faulty or not _can_tell(file.faulty, machine):
        return None
    builds = [build for build in torch_builds.builds("linux", file.faulty[0].stage.arch) if _serves(build, file)]
    ranked = sorted(builds, key=lambda build: _rank(build, file))
    if not ranked:
        return None
    best = ranked[0] if _is_kept(ranked[0], file) else next((one for one in ranked if _has_file(one, file)), ranked[0])
    return Advice(best, frozenset(case.line for case in file.faulty))


def _read(walked: Walk, machine: Machine) -> _File:
    faulty: list[Case] = []
    kept: list[Torch] = []
    flash_attn = False
    for event in walked.events:
        if event.installs is None or event.stage.image.musl:
            continue
        case = Case(event, event.installs, machine)
        wanted = event.installs.wanted(FLASH_ATTN)
        flash_attn = flash_attn or (wanted is not None and not is_file(wanted))
        if any(faults(case)):
            faulty.append(case)
        elif case.installed:
            kept.append(case.installed)
    return _File(tuple(faulty), tuple(kept), flash_attn)


def _can_tell(faulty: Sequence[Case], machine: Machine) -> bool:
    """A version for what has none can be named for any machine, unless an index of one's own decides."""
    if machine.nvidia:
        return machine.driver is not None
    only_unpinned = all(rule == UNPINNED for case in faulty for rule, _ in faults(case))
    return only_unpinned and not any(has_unknown_index(case.inst) for case in faulty)


def _serves(build: Build, file: _File) -> bool:
    """By Python, compiler, driver and GPUs; and flash-attn comes with it."""
    if not build.cuda:
        return False
    limit = attention.source_build(FLASH_ATTN, "2").max_torch_excluded
    if file.installs_flash_attn and numbers(build.torch)[:2] >= numbers(limit):
        return False
    return all(_serves_case(build, build.cuda, case) for case in file.faulty)


def _serves_case(build: Build, cuda: str, case: Case) -> bool:
    tag = f"cp{case.python.replace('.', '')}" if case.python else None
    if tag and build.python_tags and tag not in build.python_tags:
        return False
    if case.stage.nvcc and major(case.stage.nvcc) != major(cuda):
        return False
    machine = case.machine
    if not machine.nvidia or machine.driver is None:
        return True
    inside = build.arch_list
    served = bool(inside) and all(capability.covers(inside or (), on) for on in machine.capabilities)
    return served and driver_runs(machine.driver.version, cuda, machine.os)


def _rank(build: Build, file: _File) -> tuple[bool, ...]:
    """The best first: as another line has it, else as it was meant; then the newest."""
    torches = (case.installed for case in file.faulty)
    meant = {major_minor(one.version) for one in torches if one and one.version}
    other_minor = bool(meant) and major_minor(build.torch) not in meant
    return not _is_kept(build, file), other_minor, not _has_cuda_that_is_meant(build, file)


def _is_kept(build: Build, file: _File) -> bool:
    return any(kept.version == build.torch and kept.cuda == build.cuda for kept in file.kept)


def _has_file(build: Build, file: _File) -> bool:
    """Whether flash-attn is published for it, where nothing compiles it."""
    torch = Torch(build.torch, build.cuda, 0)
    without_nvcc = (case for case in file.faulty if file.installs_flash_attn and case.stage.has_nvcc is False)
    return all(not case.python or fitting_wheels(case, torch, FLASH_ATTN) for case in without_nvcc)


def _has_cuda_that_is_meant(build: Build, file: _File) -> bool:
    """That of the index, else of the compiler; where nothing says, any that the driver runs, else the index's own."""
    named = {cuda for case in file.faulty if (cuda := index_cuda(case.inst))}
    named = named or {major_minor(case.stage.nvcc) for case in file.faulty if case.stage.nvcc}
    if named:
        return build.cuda in named
    return build.on_pypi or file.faulty[0].machine.driver is not None
