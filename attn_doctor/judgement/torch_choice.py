"""Which torch build a machine should have: by every GPU and by the driver, never by the driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        and _installs(machine, build)
        and build.arch_list is not None
        and all(capability.covers(build.arch_list, on) for on in capabilities)
    ]


def conceivable(machine: Machine) -> bool:
    """Whether any published build has code for all these GPUs, whatever the driver and Python."""
    return any(
        build.arch_list is not None and all(capability.covers(build.arch_list, on) for on in machine.capabilities)
        for build in torch_builds.builds(machine.os, machine.arch)
    )


def _installs(machine: Machine, build: Build) -> bool:
    if machine.libc and machine.libc.family == "musl":
        return False
    return machine.python is None or build.python_tags is None or machine.python.tag in build.python_tags


def by_distance(machine: Machine, builds: list[Build]) -> list[Build]:
    """The smallest move from the installed torch first: the same version, then newer minors, then older ones.

    Of one minor the newest patch, and of one version the build that needs no index of its own, come first. Without a
    torch the newest is the nearest. Nothing older where a package is installed that would not move along.
    """
    have = public(machine.torch.version) if machine.torch else None
    if have is None:
        return sorted(builds, key=lambda build: (_newest_first(build.torch), not build.on_pypi))
    bound = set(machine.packages) & set(BOUND_TO_TORCH)
    kept = [build for build in builds if not bound or numbers(build.torch) >= numbers(have)]
    return sorted(kept, key=lambda build: (_distance(build.torch, have), not build.on_pypi))


# packages that demand their own torch: an older one would break them
BOUND_TO_TORCH = ("flashinfer-python", "mslk", "sglang", "vllm")


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


def label(build: Build) -> str:
    """'torch 2.8.0+cu128'."""
    return f"torch {build.torch}+{build.variant}"
