"""eager

Plain matrix products and a softmax, written in PyTorch. It runs wherever torch runs, takes every mask and every
dtype, and holds the whole score matrix in memory: quadratic in the sequence length. The reference that all the
others are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.knowledge.attention import demands

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu


def torch_runs(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    """An installed torch that runs on the device it picks by itself: the GPU where CUDA is available, else the CPU."""
    if machine.torch is None:
        why = machine.unknown("torch")
        if why:
            yield Obstacle("blocked", f"torch could not be read: {why}")
        elif machine.libc and machine.libc.family == "musl":
            yield Obstacle("blocked", "torch is not installed, and there is no torch wheel for musl")
        else:
            yield Obstacle("installable", "torch is not installed in the target")
    elif machine.torch_fault:
        yield Obstacle("installable", machine.torch_fault)
    elif gpu and machine.device == "cuda" and machine.lacks_code(gpu):
        yield from conditions.torch(machine, gpu, by_package=False)


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    yield from torch_runs(machine, gpu)
    yield from conditions.needs(need, demands("eager"), gpu, None)


PLACES = {"mps": "on the Apple GPU (MPS)", "rocm": "on the AMD GPU (ROCm)"}


def where(machine: Machine) -> str:
    """On which device it runs, said where that is not an NVIDIA GPU."""
    if machine.device in PLACES:
        return PLACES[machine.device]
    if machine.device == "cpu" and machine.all_gpus:
        return "on the CPU: torch does not use the GPU here"
    return "on the CPU" if machine.device == "cpu" else ""


def remarks(machine: Machine, _gpu: Gpu | None, _need: Need) -> tuple[str, ...]:
    return (f"the slow reference{', ' + place if (place := where(machine)) else ''}",)


def torch_version(machine: Machine) -> str | None:
    """Backends inside torch have its version."""
    return machine.torch.version if machine.torch else None


BACKEND = Backend("eager", "eager attention", obstacles, torch_version, remarks=remarks)
