"""triton

FlashAttention written in Triton. Triton itself brings no attention function: the kernels come from the model or from
a package (flash-attn's Triton path, Unsloth, your own); what is judged here is whether Triton can compile and run on
this machine. It compiles on first use and needs a C compiler for that on Linux.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.attention import demands

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu

PACKAGES = ("triton", "pytorch-triton", "pytorch-triton-rocm", "triton-windows")


def version(machine: Machine) -> str | None:
    return next((machine.packages[name].version for name in PACKAGES if name in machine.packages), None)


def compiler_chain(machine: Machine) -> Iterator[Obstacle]:
    """Triton itself, and the C compiler with which it builds its launcher."""
    if version(machine) is None and machine.torch is not None:
        pins = torch_builds.pins(machine.torch.version)
        name = "triton-windows" if machine.os == "windows" else "triton"
        which = f" {pins.triton}" if pins and pins.triton else ""
        yield Obstacle("installable", f"{name}{which} is not installed")
        if machine.os == "windows":
            yield Obstacle("installable", "triton-windows is a community build")
    if machine.os == "linux" and machine.compiler is None and not machine.unknown("compiler"):
        yield Obstacle("blocked", "Triton needs a C compiler at run time, and there is none")


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("triton")
    if gpu and gpu.vendor == "amd" and machine.torch and machine.torch.rocm:
        yield from compiler_chain(machine)
        return
    yield from conditions.nvidia_gpu(machine, gpu, row)
    yield from conditions.needs(need, row, gpu, None)
    yield from conditions.driver(machine)
    yield from conditions.torch(machine, gpu, by_package=False)
    yield from compiler_chain(machine)


def remarks(machine: Machine, _gpu: Gpu | None, _need: Need) -> tuple[str, ...]:
    return (f"{version(machine)}; kernels come from models or packages",)


BACKEND = Backend("triton", "Triton FlashAttention", obstacles, version, remarks=remarks)
