"""What a backend is, how backends are found, and how obstacles on single GPUs become one verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement.verdict import STATUSES, BackendVerdict, GpuVerdict, KernelVerdict, Status

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu


class Obstacle(msgspec.Struct, frozen=True):
    """Something between this machine and a running backend, and how far away it puts it."""

    status: Status  # installable, blocked or unsupported
    reason: str


class Backend(msgspec.Struct, frozen=True):
    """One attention backend. `obstacles` judges one GPU (None: no GPU is in play); `remarks` speak where it is ready.

    `ways` looks for a file or a build that would bring it; it costs more, and is asked only where nothing rules it out.
    """

    name: str
    title: str
    obstacles: Callable[[Machine, Gpu | None, Need], Iterable[Obstacle]]
    version: Callable[[Machine], str | None]
    ways: Callable[[Machine, Gpu | None], Iterable[Obstacle]] = lambda _machine, _gpu: ()
    package: str | None = None  # the distribution that brings it; None: torch itself
    series: str = "2"  # of flash-attn, whose 1.x and 2.x share a name
    remarks: Callable[[Machine, Gpu | None, Need], tuple[str, ...]] = lambda _machine, _gpu, _need: ()
    kernels: Callable[[Machine, Gpu | None, Need], tuple[KernelVerdict, ...]] = lambda _machine, _gpu, _need: ()
    doc: str = ""


@cache
def backends() -> dict[str, Backend]:
    """Every backend of the folder, by name, sorted."""
    from attn_doctor.discovery import discover

    modules = discover(__package__ + ".backends")
    found: list[Backend] = [msgspec.structs.replace(module.BACKEND, doc=module.__doc__ or "") for module in modules]
    return {backend.name: backend for backend in sorted(found, key=lambda backend: backend.name)}


def worst(obstacles: Iterable[Obstacle]) -> Status:
    """The status that a set of obstacles leaves: ready where there are none."""
    return max((obstacle.status for obstacle in obstacles), key=STATUSES.index, default="ready")


def judge(backend: Backend, machine: Machine, need: Need) -> BackendVerdict:
    """The verdict over all GPUs: the worst of them, each kind of GPU judged once."""
    kinds = _kinds(machine)
    verdicts = [_on(backend, machine, gpu, indices, need) for gpu, indices in kinds]
    status = max((verdict.status for verdict in verdicts), key=STATUSES.index)
    return BackendVerdict(
        name=backend.name,
        status=status,
        reasons=_reasons(verdicts, status),
        version=backend.version(machine),
        gpus=tuple(verdict for verdict in verdicts if verdict.indices),
        kernels=tuple(kernel for gpu, _ in kinds for kernel in backend.kernels(machine, gpu, need)),
    )


def _kinds(machine: Machine) -> list[tuple[Gpu | None, tuple[int, ...]]]:
    """GPUs that are alike are judged once; without any GPU there is one judgement of the machine alone."""
    kinds: dict[object, tuple[Gpu, list[int]]] = {}
    for gpu in machine.gpus:
        alike = (gpu.name, gpu.vendor, gpu.compute_capability, gpu.gfx, gpu.fault)
        kinds.setdefault(alike, (gpu, []))[1].append(gpu.index)
    return [(gpu, tuple(indices)) for gpu, indices in kinds.values()] or [(None, ())]


def _on(backend: Backend, machine: Machine, gpu: Gpu | None, indices: tuple[int, ...], need: Need) -> GpuVerdict:
    obstacles = _obstacles(backend, machine, gpu, need)
    if worst(obstacles) in ("ready", "installable"):
        obstacles += backend.ways(machine, gpu)
    if worst(obstacles) == "installable":
        from attn_doctor.judgement import target

        closed = target.closed(machine)
        obstacles += [Obstacle("blocked", closed.reason)] if closed else []
    status = worst(obstacles)
    # what stands furthest in the way is said first; below "unsupported" nothing else matters
    said = [obstacle.reason for obstacle in obstacles if obstacle.status == status]
    if status == "blocked":
        said += [obstacle.reason for obstacle in obstacles if obstacle.status == "installable"]
    reasons = tuple(said) if obstacles else backend.remarks(machine, gpu, need)
    return GpuVerdict(indices, gpu.name if gpu else "", status, reasons)


def _obstacles(backend: Backend, machine: Machine, gpu: Gpu | None, need: Need) -> list[Obstacle]:
    """Every obstacle, each once; after one that no installation can mend, only others of that kind."""
    found: list[Obstacle] = []
    for obstacle in backend.obstacles(machine, gpu, need):
        if worst(found) == "unsupported" and obstacle.status != "unsupported":
            break
        if obstacle not in found:
            found.append(obstacle)
    return found


def _reasons(verdicts: list[GpuVerdict], status: Status) -> tuple[str, ...]:
    """Of several kinds of GPUs: what holds back the worst of them, and where it would run all the same."""
    deciding = [verdict for verdict in verdicts if verdict.status == status]
    if len({verdict.reasons for verdict in deciding}) == 1 and len(deciding) == len(verdicts):
        return deciding[0].reasons
    return tuple(f"{_numbered(verdict)}: {reason}" for verdict in deciding for reason in verdict.reasons[:1])


def _numbered(verdict: GpuVerdict) -> str:
    return f"GPU {', '.join(map(str, verdict.indices))}"
