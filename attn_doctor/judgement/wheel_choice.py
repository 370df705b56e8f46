"""Whether a published wheel fits this machine, as it is or after a move of torch; else whether it can be compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement import built_here, source_build, toolkit_choice, torch_bonds, torch_choice
from attn_doctor.judgement.backend import Obstacle
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.versions import major, major_minor, public
from attn_doctor.wheels.catalogue import Wheel, minors, packages
from attn_doctor.wheels.resolve import TWO_SERIES, Key, fitting, is_compiled

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.knowledge.torch_builds import Build
    from attn_doctor.machine.probes.gpus import Gpu


def key(machine: Machine, gpu: Gpu | None) -> Key:
    """What decides which file fits, for one GPU of the machine."""
    torch = machine.torch
    libc = machine.libc
    python = machine.python
    version = ".".join(python.version.split(".")[:2]) if python else ""
    return Key(
        os=machine.os,
        arch=machine.arch,
        libc=f"{libc.family}-{libc.version}" if libc else None,
        python=version + ("t" if python and python.free_threaded else ""),
        torch=torch.version if torch else None,
        torch_cuda=torch.cuda if torch else None,
        torch_release=bool(torch and torch.released),
        cxx11abi=torch.cxx11abi if torch else None,
        capabilities=(gpu.compute_capability,) if gpu and gpu.compute_capability else (),
    )


def fits(machine: Machine, gpu: Gpu | None, package: str, series: str = "2") -> tuple[Wheel, ...]:
    """The published files of a package that load here as things are, best first."""
    return fitting(package, key(machine, gpu), series=series)


def after_moving_to(build: Build, now: Key) -> Key:
    """The key once torch has been replaced by that build."""
    return msgspec.structs.replace(
        now,
        torch=build.torch,
        torch_cuda=build.cuda,
        torch_release=True,
        cxx11abi=torch_builds.cxx11abi(build.torch, build.cuda, now.os, now.arch),
    )


def moves(
    machine: Machine,
    package: str,
    series: str,
    now: Key,
    find: Callable[[Key], Sequence[Wheel]],
    *,
    bound: bool = True,
) -> Iterator[tuple[Build, Wheel]]:
    """The torch builds for which `find` finds a file of the package, the nearest first, each with its best file.

    `bound=False`: also those that an installed package does not accept.

    None beside a torch that no index carries: who has a vendor's or a nightly build does not want it swapped.
    """
    if machine.torch is not None and not machine.torch.released:
        return
    published = minors(package, series)
    for build in torch_choice.by_distance(machine, torch_choice.suitable(machine), bound=bound):
        if published is not None and major_minor(build.torch) not in published:
            continue
        moved = after_moving_to(build, now)
        found = find(moved)
        if found and carried(machine, moved, package) is not None:
            yield build, found[0]


def carried(machine: Machine, moved: Key, but: str | None) -> tuple[Wheel, ...] | None:
    """The files that other compiled packages need anew beside another torch; None where there is none for one."""
    torch = machine.torch
    if torch is None or (
        major_minor(public(torch.version)) == major_minor(moved.torch or "")
        and major(torch.cuda or "") == major(moved.torch_cuda or "")
    ):
        return ()
    files: list[Wheel] = []
    for name, package in machine.packages.items():
        if name == but or name not in torch_bonds.moving() or name not in packages():
            continue
        series = str(major(package.version)) if name == TWO_SERIES else "2"
        found = fitting(name, moved, series=series)
        if not found:
            return None
        files += found[:1] if is_compiled(found[0]) else ()
    return tuple(files)


def after_a_move(machine: Machine, gpu: Gpu | None, package: str, series: str) -> tuple[Build, Wheel] | None:
    """The nearest torch build for which a wheel of the package exists."""
    found = moves(machine, package, series, key(machine, gpu), lambda moved: fitting(package, moved, series=series))
    return next(found, None)


def held_move(machine: Machine, gpu: Gpu | None, package: str, series: str) -> Iterator[Obstacle]:
    """Where an installed package is all that keeps torch from moving to where a file fits: which one."""

    def find(moved: Key) -> tuple[Wheel, ...]:
        return fitting(package, moved, series=series)

    for build, _ in moves(machine, package, series, key(machine, gpu), find, bound=False):
        if why := list(torch_bonds.holding(machine, build)):
            fits = f"with {torch_choice.label(build)} a wheel fits"
            yield Obstacle("blocked", f"{fits}, but {why[0]}: an environment of its own is free of it")
            return


def torch_serves(machine: Machine, gpu: Gpu | None) -> bool:
    """Whether the installed torch can use that GPU (None: every one) with this driver: else no file for it helps."""
    torch = machine.torch
    if torch is None or torch.cuda is None:
        return False
    judged = machine.nvidia if gpu is None else (gpu,)
    return (machine.driver is None or machine.driver_serves) and not any(map(machine.lacks_code, judged))


def ways(machine: Machine, gpu: Gpu | None, package: str, series: str = "2") -> Iterator[Obstacle]:
    """How a package that is not there could come in: the nearest way, or the proof that there is none."""
    from attn_doctor.judgement import other_sources  # it needs this module itself

    if build := other_sources.conda_build(machine, key(machine, gpu), package, series):
        yield Obstacle("installable", f"{build.version} of conda-forge")
        return
    usable = torch_serves(machine, gpu)
    found = fits(machine, gpu, package, series) if usable else ()
    if found:
        yield from by_wheel(found[0])
        return
    if usable and (kept := built_here.fitting(machine, package, series)):
        yield Obstacle("installable", f"{kept.version}, {built_here.described(kept)}")
        return
    if moved := after_a_move(machine, gpu, package, series):
        yield from by_wheel(moved[1], moved[0])
        return
    on = (gpu.compute_capability,) if gpu and gpu.compute_capability else ()
    refusal = source_build.refusal(machine, on, package, series) if usable else None
    if usable and refusal is None:
        yield Obstacle("installable", "no wheel fits; it can be compiled here")
    elif usable and (cuda := toolkit_choice.fetchable(machine, on, package, series)):
        yield Obstacle("installable", f"no wheel fits; it can be compiled here, with a CUDA {cuda} toolkit put beside")
    elif usable:
        yield Obstacle("blocked", f"no wheel for {fitted_to(machine)}")
        yield from held_move(machine, gpu, package, series)
        yield Obstacle("blocked", f"a source build: {refusal}")
    else:
        yield Obstacle("blocked", "no wheel for any torch that runs here")
        yield from held_move(machine, gpu, package, series)


def by_wheel(wheel: Wheel, move: Build | None = None) -> Iterator[Obstacle]:
    """A published file, and whose."""
    yield Obstacle("installable", described(wheel, move))
    if wheel.trust == "community":
        yield Obstacle("installable", f"the file is of {wheel.source}; upstream has published none that fits")


def described(wheel: Wheel, move: Build | None = None) -> str:
    """'2.8.3, community wheel', '1.0.9 with torch 2.5.1+cu124, upstream wheel'."""
    moved = f" with {torch_choice.label(move)}" if move else ""
    return f"{wheel.version}{moved}, {wheel.trust} wheel"


def fitted_to(machine: Machine) -> str:
    """'torch 2.14, cp312, linux x86_64'."""
    tag = machine.python.tag if machine.python else "this Python"
    torch = machine.torch
    named = "no torch" if torch is None else torch.version if not torch.released else major_minor(torch.version)
    return f"torch {named}, {tag}, {machine.os} {machine.arch}"
