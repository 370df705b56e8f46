"""Whether a published wheel fits this machine, as it is or after a move of torch; else whether it can be compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement import built_here, source_build, toolkit_choice, torch_bonds, torch_choice, xformers_beside
from attn_doctor.judgement.allowed import INDEX, listed, sources_of
from attn_doctor.judgement.backend import Obstacle
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.versions import major, major_minor, public
from attn_doctor.wheels.catalogue import Wheel, minors, packages
from attn_doctor.wheels.resolve import TWO_SERIES, Key, is_compiled
from attn_doctor.wheels.resolve import fitting as published

if TYPE_CHECKING:
    from attn_doctor.judgement.verdict import Status
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
    """The published files of a package that load here as things are and may be installed, best first."""
    return fitting(machine, package, key(machine, gpu), series)


def fitting(machine: Machine, package: str, where: Key, series: str = "2") -> tuple[Wheel, ...]:
    """Those that load there and may be installed on this machine, best first."""
    found = published(package, where, series, machine.allowed.sources if machine.allowed else None)
    return tuple(xformers_beside.preferred(machine, found))


def refused(machine: Machine, package: str, where: Key, series: str = "2") -> tuple[str, ...]:
    """Where files load and none of them may be installed: whose they are."""
    if machine.allowed is None:
        return ()
    found = published(package, where, series=series)
    return () if machine.allowed.of(found) else sources_of(found)


def kept_away(machine: Machine, package: str, gpu: Gpu | None, series: str = "2") -> str | None:
    """Where files load as things are and none may be installed: that it is so."""
    others = refused(machine, package, key(machine, gpu), series)
    return machine.allowed.refusal(others) if machine.allowed and others else None


def note(machine: Machine, package: str, gpu: Gpu | None, series: str = "2") -> str:
    """The same as a sentence to stand behind another one; empty where that is not why."""
    said = kept_away(machine, package, gpu, series)
    return f" {said[0].upper()}{said[1:]}." if said else ""


def by_name(machine: Machine, package: str) -> bool:
    """Whether the package index's own file of a package may be installed; only what the catalogue has is held to it."""
    return machine.allowed is None or package not in packages() or INDEX in machine.allowed.sources


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
        found = fitting(machine, name, moved, series)
        if not found:
            return None
        files += found[:1] if is_compiled(found[0]) else ()
    return tuple(files)


def after_a_move(machine: Machine, gpu: Gpu | None, package: str, series: str) -> tuple[Build, Wheel] | None:
    """The nearest torch build for which a wheel of the package exists."""
    now = key(machine, gpu)
    return next(moves(machine, package, series, now, lambda moved: fitting(machine, package, moved, series)), None)


def held_move(machine: Machine, gpu: Gpu | None, package: str, series: str) -> Iterator[Obstacle]:
    """Where an installed package is all that keeps torch from moving to where a file fits: which one."""

    def find(moved: Key) -> tuple[Wheel, ...]:
        return fitting(machine, package, moved, series)

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

    now = key(machine, gpu)
    if build := other_sources.conda_build(machine, now, package, series):
        yield Obstacle("installable", f"{build.version} of conda-forge")
        return
    usable = torch_serves(machine, gpu)
    found = fitting(machine, package, now, series) if usable else ()
    if found:
        yield from by_wheel(machine, found[0], now, series)
        return
    others = refused(machine, package, now, series) if usable else ()
    if usable and (kept := built_here.fitting(machine, package, series)):
        yield Obstacle("installable", f"{kept.version}, {built_here.described(kept)}")
    elif moved := after_a_move(machine, gpu, package, series):
        yield from by_wheel(machine, moved[1], after_moving_to(moved[0], now), series, moved[0])
    else:
        yield from without_a_wheel(machine, gpu, package, series, others)
        return
    yield from not_allowed(machine, others, "installable")


def without_a_wheel(
    machine: Machine, gpu: Gpu | None, package: str, series: str, others: Sequence[str]
) -> Iterator[Obstacle]:
    """By compiling it, else why that is no way either. `others`: whose files fit and may not be installed."""
    on = (gpu.compute_capability,) if gpu and gpu.compute_capability else ()
    if not torch_serves(machine, gpu):
        yield Obstacle("blocked", "no wheel for any torch that runs here")
        yield from held_move(machine, gpu, package, series)
        yield from refused_move(machine, gpu, package, series)
        return
    refusal = source_build.refusal(machine, on, package, series)
    cuda = toolkit_choice.fetchable(machine, on, package, series) if refusal else None
    if refusal is None or cuda:
        none = "no wheel that is allowed fits" if others else "no wheel fits"
        beside = f", with a CUDA {cuda} toolkit put beside" if cuda else ""
        yield Obstacle("installable", f"{none}; it can be compiled here{beside}")
        yield from not_allowed(machine, others, "installable")
        return
    if others:
        yield from not_allowed(machine, others, "blocked")
    else:
        yield Obstacle("blocked", f"no wheel for {fitted_to(machine)}")
    yield from held_move(machine, gpu, package, series)
    if not others:
        yield from refused_move(machine, gpu, package, series)
    yield Obstacle("blocked", f"a source build: {refusal}")


def not_allowed(
    machine: Machine, sources: Sequence[str], status: Status, beside: str | None = None
) -> Iterator[Obstacle]:
    """That the only files are of sources that are not allowed, and what to do; nothing where there is none."""
    if machine.allowed and sources:
        yield Obstacle(status, machine.allowed.refusal(sources, beside))
        yield Obstacle(status, machine.allowed.remedy(sources))


def refused_move(machine: Machine, gpu: Gpu | None, package: str, series: str) -> Iterator[Obstacle]:
    """Where a file for another torch fits, and nothing but whose it is keeps it away."""
    if machine.allowed is None:
        return
    now = key(machine, gpu)
    for build, _ in moves(machine, package, series, now, lambda moved: published(package, moved, series=series)):
        others = refused(machine, package, after_moving_to(build, now), series)
        yield from not_allowed(machine, others, "blocked", torch_choice.label(build))
        return


def by_wheel(machine: Machine, wheel: Wheel, where: Key, series: str, move: Build | None = None) -> Iterator[Obstacle]:
    """A published file that loads there, and whose."""
    yield Obstacle("installable", described(wheel, move))
    if wheel.trust != "community":
        return
    own = [one for one in published(wheel.package, where, series=series) if one.trust == "upstream"]
    if machine.allowed and own and not machine.allowed.of(own):
        why = f"{machine.allowed.said_at} does not allow that of {listed(sources_of(own))}"
    elif own:
        why = "upstream has published none that the installed xformers takes"
    else:
        why = "upstream has published none that fits"
    yield Obstacle("installable", f"the file is of {wheel.source}; {why}")


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
