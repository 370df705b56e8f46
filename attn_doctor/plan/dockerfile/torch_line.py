"""A command that installs torch: no version, or a build that this driver or these GPUs do not run."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement.view import driver_runs
from attn_doctor.knowledge import capability, cuda, torch_builds
from attn_doctor.plan.dockerfile.case import Case
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.pip import Installation
from attn_doctor.plan.dockerfile.torches import Torch

UNPINNED = "torch-not-pinned"
COMPANIONS = ("torchvision", "torchaudio")


def torch(case: Case) -> Iterator[Finding]:
    """What is wrong with the torch of this command; each names the same torch instead."""
    for rule, said in faults(case):
        yield Finding(rule, case.line, said, _instead(case))


def faults(case: Case) -> Iterator[tuple[str, str]]:
    """The rules that it breaks, and what is said of each."""
    inst, machine, arch = case.inst, case.machine, case.stage.arch
    wanted, installed = inst.wanted("torch"), case.installed
    if wanted is None or installed is None:
        return
    version, runtime = installed.version, installed.cuda
    is_bare = not wanted.specifier and not wanted.url and not inst.has("--constraint", "--requirement")
    if is_bare:
        yield UNPINNED, _unpinned(inst, runtime)
    if not runtime or not machine.nvidia:
        return
    named = f"torch {version or ''}".strip()
    driver = machine.driver
    if driver and not driver_runs(driver.version, runtime, machine.os):
        floor = cuda.driver_floor(runtime, machine.os)
        said = f"{named} is a build for CUDA {runtime}, which needs driver {floor}; this machine has {driver.version}."
        yield "driver-too-old-for-torch", said
    if version and (text := without_code(version, runtime, arch, machine.capabilities)):
        yield "no-code-in-torch", f"{named} for CUDA {runtime} {text}"


def runs(torch: Torch, case: Case) -> bool:
    """Whether that torch runs on this machine, as far as its build is known."""
    machine = case.machine
    if not torch.cuda or not machine.nvidia:
        return True
    if machine.driver and not driver_runs(machine.driver.version, torch.cuda, machine.os):
        return False
    lacks = torch.version and without_code(torch.version, torch.cuda, case.stage.arch, machine.capabilities)
    return not lacks


def first(case: Case) -> str:
    """Said where nothing can be named because torch itself has to change."""
    torch, mended = case.torch, case.mended
    if torch is None or mended is None or (mended == torch and runs(torch, case)):
        return ""
    return f" Mend line {torch.line} first."


def without_code(version: str, runtime: str, arch: str, capabilities: tuple[str, ...]) -> str | None:
    """'has no code for compute capability 12.0 (...).', where that build certainly has none for one of these."""
    inside = torch_builds.arch_list(version, runtime, "linux", arch)
    lacking = [on for on in capabilities if inside and not capability.covers(inside[0], on)]
    if not inside or not lacking:
        return None
    return f"has no code for compute capability {', '.join(lacking)} ({capability.short(inside[0])})."


def _unpinned(inst: Installation, runtime: str | None) -> str:
    if "--index-url" in inst.options or "--extra-index-url" in inst.options:
        return "torch has no version: the index gives another one with every release, and compiled packages break."
    newest = torch_builds.newest()
    of = f", which is {newest} for CUDA {runtime} as of {torch_builds.table().as_of}" if runtime else ""
    return f"torch has no version: the package index gives its newest{of}, and another one later."


def _instead(case: Case) -> tuple[str, ...]:
    """The torch that the whole file should have, with the companions that this command installs beside it."""
    if case.advice is None:
        return ()
    build = case.advice.build
    pins = torch_builds.pins(build.torch)
    beside = [
        f"{name}=={version}" for name in COMPANIONS if case.inst.wanted(name) and (version := getattr(pins, name, None))
    ]
    return (f"{' '.join((case.pip, f'torch=={build.torch}', *beside))} --index-url {build.index_url}",)
