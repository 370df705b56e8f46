"""Which torch build a machine should have: by every GPU and by the driver, never by the driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attn_doctor.judgement import torch_bonds
from attn_doctor.judgement.view import driver_runs
from attn_doctor.knowledge import capability, torch_builds
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.knowledge.versions import numbers, public

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine


def suitable(machine: Machine, covering: tuple[str, ...] | None = None) -> list[Build]:
    """CUDA builds that run on these GPUs (default: every visible one) with this driver and Python, newest first."""
    capabilities = machine.capabilities if covering is None else covering
    return [
        build
        for build in torch_builds.builds(machine.os, machine.arch)
        if build.cuda
        and (machine.driver is None or driver_runs(machine.driver.version, build.cuda, machine.os))
        and installs(machine, build)
        and build.arch_list is not None
        and all(capability.covers(build.arch_list, on) for on in capabilities)
    ]


def conceivable(machine: Machine) -> bool:
    """Whether any published build has code for all these GPUs, whatever the driver and Python."""
    return any(
        build.arch_list is not None and all(capability.covers(build.arch_list, on) for on in machine.capabilities)
        for build in torch_builds.builds(machine.os, machine.arch)
    )


def at_least(build: Build, version: str) -> bool:
    """Whether that build is of that release or a later one."""
    return numbers(build.torch) >= numbers(public(version))


def installs(machine: Machine, build: Build) -> bool:
    """Whether a wheel of it exists for this Python and C library."""
    if machine.libc and machine.libc.family == "musl":
        return False
    return machine.python is None or build.python_tags is None or machine.python.tag in build.python_tags


def by_distance(machine: Machine, builds: list[Build], *, bound: bool = True) -> list[Build]:
    """The smallest move from the installed torch first: the same version, then newer minors, then older ones.

    Of one minor the newest patch, and of one version the build that needs no index of its own, come first. Without a
    torch the newest is the nearest. Nothing that an installed package does not accept; `bound=False`: that too.
    """
    builds = [build for build in builds if not bound or accepted(machine, build)]
    have = public(machine.torch.version) if machine.torch else None
    if have is None:
        return sorted(builds, key=lambda build: (_newest_first(build.torch), not build.on_pypi))
    return sorted(builds, key=lambda build: (_distance(build.torch, have), not build.on_pypi))


def accepted(machine: Machine, build: Build) -> bool:
    """Whether every installed package takes that torch."""
    return next(torch_bonds.holding(machine, build), None) is None


def held_back(machine: Machine) -> tuple[str, ...]:
    """What holds the installed torch where another would serve; empty where nothing does, or none would."""
    builds = suitable(machine)
    if not builds or any(accepted(machine, build) for build in builds):
        return ()
    newest = max(builds, key=lambda build: numbers(build.torch))
    return tuple(torch_bonds.holding(machine, newest))


def _newest_first(version: str) -> tuple[int, ...]:
    return tuple(-number for number in (*numbers(version), 0, 0)[:3])


def _distance(version: str, have: str) -> tuple[int, int, tuple[int, ...]]:
    """Sorts the same version, then the same and newer minors upwards, then older minors downwards."""
    release, own = _newest_first(version), _newest_first(have)
    if release == own:
        return 0, 0, ()
    step = (own[0] - release[0]) * 1000 + own[1] - release[1]
    return (1, step, release) if step >= 0 else (2, -step, release)


def nearest(machine: Machine, builds: list[Build]) -> Build | None:
    """The smallest move of them all; None where there is none."""
    return next(iter(by_distance(machine, builds)), None)


def best(machine: Machine) -> Build | None:
    """The build to move to; None where no published build serves all the GPUs."""
    return machine.remembered("best torch", lambda: nearest(machine, suitable(machine)))


def is_installed(machine: Machine, build: Build) -> bool:
    """Whether an installer takes what is there for that very build: same release, same CUDA."""
    torch = machine.torch
    return torch is not None and public(torch.version) == build.torch and torch.cuda == build.cuda


def label(build: Build) -> str:
    """'torch 2.8.0+cu128'."""
    return f"torch {build.torch}+{build.variant}"
