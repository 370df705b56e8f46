"""The torch to move to: one with CUDA, one that the driver runs, in a command for the machine of the log."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.causes import _gpus
from attn_doctor.judgement import commands, torch_choice
from attn_doctor.knowledge import cuda
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.knowledge.versions import major

LOOK = "attn-doctor check   (what this machine has, and the torch that fits it)"


def with_cuda(case: Case) -> Iterator[str]:
    """The command for the nearest torch with CUDA; the same release where there is one."""
    about = _gpus.machine(case)
    builds = torch_choice.by_distance(about, torch_choice.suitable(about))
    if builds:
        floor = cuda.driver_floor(builds[0].cuda or "", about.os)
        needs = f"   (driver {floor} or newer)" if floor and about.driver is None else ""
        yield again(commands.install_torch(about, builds[0])) + needs
    if not builds or about.driver is None:
        yield LOOK


def again(command: str) -> str:
    """Pip takes an installed 2.8.0+cpu for 2.8.0: only a forced install replaces it."""
    return command if "+" in command else commands.forced(command)


def for_driver(case: Case, runs: str | None) -> Iterator[str]:
    """The command for the newest torch that a driver runs; `runs`: the CUDA that the driver says it knows."""
    about = _gpus.machine(case)
    builds = torch_choice.suitable(about)
    if about.driver is None and runs is None and about.torch is None:
        return  # nothing says what it runs
    if about.driver is None and runs:
        builds = [build for build in builds if build.cuda and major(build.cuda) <= major(runs)]
    if about.driver is None and runs is None and about.torch and about.torch.cuda:
        builds = [build for build in builds if build.cuda and major(build.cuda) < major(about.torch.cuda or "")]
    if builds:
        best = _nearest(case, builds)
        yield f"{commands.install_torch(about, best)}   ({torch_choice.label(best)} runs with this driver)"


def _nearest(case: Case, builds: list[Build]) -> Build:
    return torch_choice.by_distance(_gpus.machine(case), builds, bound=False)[0]


def floor(case: Case, runtime: str | None) -> str | None:
    """The oldest driver for a CUDA runtime; where none is named, for that of the log's torch."""
    about = _gpus.machine(case)
    wanted = runtime or (about.torch.cuda if about.torch else None)
    return cuda.driver_floor(wanted, about.os) if wanted else None
