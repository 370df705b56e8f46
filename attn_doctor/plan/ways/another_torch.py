"""Another build of torch, and then a file that fits it; or torch alone, where torch itself brings the backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from attn_doctor.judgement import commands, torch_choice, wheel_choice, xformers_beside
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.index_wheels import IndexWheel
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.plan import files, steps
from attn_doctor.plan.plan import Change, Cost, Plan, Step
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way
from attn_doctor.plan.ways.wheel import wanted_by_name
from attn_doctor.wheels.catalogue import Wheel
from attn_doctor.wheels.resolve import Key
from attn_doctor.wheels.search import search

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine


def plans(case: Case) -> Iterator[Plan]:
    if case.machine.torch is not None and not case.machine.torch.released:
        return  # who has a vendor's or a nightly build does not want it swapped
    if case.backend.package is None:
        yield from torch_alone(case)
    elif case.machine.nvidia and (found := move(case)):
        yield and_a_file(case, *found)
    elif case.machine.nvidia and (row := wanted_by_name(case)):
        yield from torch_alone(case, row)


def move(case: Case) -> tuple[Build, Wheel] | None:
    """The nearest torch for which a file of the package fits; where one fits already, only for one of upstream's."""
    filters, machine = case.filters, case.machine
    if filters is None:
        return None
    at_hand = (
        xformers_beside.preferred(machine, search(filters))[:1] if wheel_choice.torch_serves(machine, None) else []
    )
    if at_hand and at_hand[0].trust == "upstream":
        return None
    better = replace(filters, trust="upstream") if at_hand else filters

    def find(moved: Key) -> tuple[Wheel, ...]:
        return tuple(xformers_beside.preferred(machine, search(replace(better, key=moved))))

    return next(wheel_choice.moves(machine, filters.package, filters.series, filters.key, find), None)


def and_a_file(case: Case, build: Build, wheel: Wheel) -> Plan:
    """Move torch with what belongs to it, then install the file."""
    machine = case.machine
    moved = wheel_choice.after_moving_to(build, wheel_choice.key(machine, None))
    others = wheel_choice.carried(machine, moved, wheel.package) or ()
    return Plan(
        backend=case.backend.name,
        method="wheel",
        package=wheel.package,
        version=wheel.version,
        title=f"{torch_choice.label(build)}, then a {files.described(wheel)}",
        why=(_why(case, build),),
        wheel=files.wheel_file(wheel),
        steps=(
            *steps.keep(machine),
            *steps.pip_first(machine),
            *steps.torch(machine, build),
            *(step for other in others for step in renamed(files.bring(machine, other, build), other.package)),
            *files.triton_beside(machine, case.backend.name, build.torch),
            *files.bring(machine, wheel, build),
            steps.verify(machine, case.backend.name, case.request.needs),
        ),
        changes=(
            *torch_changes(case, build),
            *files.triton_change(machine, case.backend.name, build.torch),
            *files.changes(machine, *((other.package, other.version) for other in others)),
            *files.changes(machine, (wheel.package, wheel.version), beside=files.needs(wheel.package)),
        ),
        cost=Cost(download_bytes=build.wheel_bytes),
        warnings=(*of_the_move(case, build), *files.cautions(wheel)),
    )


def torch_alone(case: Case, row: IndexWheel | None = None) -> Iterator[Plan]:
    """The torch that brings the backend or mends what keeps it from running; `row`: and a pure Python file."""
    machine = case.machine
    build = wanted_build(case)
    if build is None:
        return
    file = files.index_file(row) if row else None
    named = (row.package, row.version) if row else ("torch", f"{build.torch}+{build.variant}")
    yield Plan(
        backend=case.backend.name,
        method="wheel",
        package=named[0],
        version=named[1],
        title=torch_choice.label(build) + (f", then {' '.join(named)}" if row else ""),
        why=(_why(case, build),),
        wheel=file,
        steps=(
            *steps.keep(machine),
            *steps.pip_first(machine),
            *steps.torch(machine, build),
            *files.triton_beside(machine, case.backend.name, build.torch),
            *(files.alone(machine, file, *named) if file else ()),
            steps.verify(machine, case.backend.name, case.request.needs),
        ),
        changes=(
            *torch_changes(case, build),
            *files.triton_change(machine, case.backend.name, build.torch),
            *(files.changes(machine, named) if file else ()),
        ),
        cost=Cost(download_bytes=build.wheel_bytes),
        warnings=of_the_move(case, build),
    )


def wanted_build(case: Case) -> Build | None:
    """The nearest that runs here and has the backend inside; for a machine without a GPU the CPU build."""
    machine = case.machine
    if machine.libc and machine.libc.family == "musl":
        return None
    if machine.nvidia and (fit := torch_choice.suitable(machine)):
        listed = torch_choice.by_distance(machine, fit)
    elif machine.nvidia and machine.torch is not None:
        return None  # the CUDA build that is there is not swapped for one of the CPU
    else:
        listed = list(for_the_cpu(machine))
    first, asked = first_torch(case), case.request.asked.version if case.backend.package is None else None
    return next(
        (
            build
            for build in listed
            if (not first or torch_choice.at_least(build, first)) and asked in (None, build.torch)
        ),
        None,
    )


def for_the_cpu(machine: Machine) -> Iterator[Build]:
    """The builds that use no GPU, newest first."""
    for build in torch_builds.builds(machine.os, machine.arch):
        if build.cuda is None and torch_choice.installs(machine, build):
            yield build


def first_torch(case: Case) -> str | None:
    """The release that brought the backend."""
    row = demands(case.backend.name)
    return row.first_torch if case.machine.nvidia else row.first_torch_cpu or row.first_torch


def torch_changes(case: Case, build: Build) -> tuple[Change, ...]:
    """torch, and the companions that move with it."""
    machine, pins = case.machine, torch_builds.pins(build.torch)
    moved = [(name, getattr(pins, name, None)) for name in commands.COMPANIONS if name in machine.packages]
    wanted = [("torch", f"{build.torch}+{build.variant}"), *((name, version) for name, version in moved if version)]
    triton = pins.triton if pins else None
    if "triton" in machine.packages and triton and triton != machine.packages["triton"].version:
        wanted.append(("triton", triton))
    return files.changes(machine, *wanted)


def older(case: Case, build: Build) -> tuple[str, ...]:
    """A torch older than the installed one takes something away, and is said."""
    torch = case.machine.torch
    if torch is None or torch_choice.at_least(build, torch.version):
        return ()
    return (f"torch goes back from {torch.version} to {build.torch}",)


def of_the_move(case: Case, build: Build) -> tuple[str, ...]:
    """What another torch may do to this environment, as far as it is known."""
    return (*older(case, build), *on_the_cpu(case.machine, build))


def on_the_cpu(machine: Machine, build: Build) -> Iterator[str]:
    """A GPU that this torch leaves idle, and what it would take."""
    if build.cuda is not None or machine.os == "macos":
        return
    if machine.nvidia and machine.driver:
        yield f"driver {machine.driver.version} runs no published CUDA build: this torch runs on the CPU alone"
    elif any(gpu.vendor == "amd" for gpu in machine.gpus):
        yield (
            "the GPU here is AMD's, and this torch runs on the CPU alone: the PyTorch index has ROCm builds in folders "
            "of their own, among which attn-doctor does not choose"
        )


def renamed(wanted: tuple[Step, ...], package: str) -> tuple[Step, ...]:
    """Steps of a second package, told apart from those of the first."""
    return tuple(replace(step, id=f"{step.id}-{package}") for step in wanted)


def _why(case: Case, build: Build) -> str:
    torch = case.machine.torch
    if torch is None:
        return "no torch is installed yet"
    if torch.cuda is None:
        return f"torch {torch.version} has no CUDA"
    if torch_choice.is_installed(case.machine, build) and case.backend.package:
        return f"the torch that is installed was built otherwise than the published {torch_choice.label(build)}"
    if not wheel_choice.torch_serves(case.machine, None):
        return f"torch {torch.version} cannot use this machine's GPU"
    if case.backend.package is None:
        return f"torch {torch.version} does not bring {case.backend.name}"
    return f"no file fits torch {torch.version}; with {torch_choice.label(build)} one does"


WAY = Way("another_torch", 20, "wheel", plans)
