"""flash_attention_2

The flash-attn package, 2.x: fp16 and bf16, head dimensions up to 256, on compute capability 8.0 and later (Ampere,
Ada, Hopper; Blackwell from 2.7.3). The package index carries only its sources; prebuilt wheels are files of its
GitHub releases, each for one torch minor, CUDA major, C++ ABI and Python.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends._package import Brought
from attn_doctor.knowledge.attention import demands, source_build
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import numbers

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu

BROUGHT = Brought("flash-attn", series="2")


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("flash_attention_2")
    if gpu and gpu.vendor == "amd":
        yield from on_amd(machine)
    else:
        yield from conditions.nvidia_gpu(machine, gpu, row)
        yield from conditions.driver(machine)
        yield from conditions.torch(machine, gpu)
        yield from code(machine, gpu)
    yield from conditions.needs(need, row, gpu, BROUGHT.version(machine))


def on_amd(machine: Machine) -> Iterator[Obstacle]:
    """AMD GPUs run it through Composable Kernel or Triton; attn-doctor makes no such build."""
    if BROUGHT.installed(machine) is None or not (machine.torch and machine.torch.rocm):
        yield Obstacle("blocked", "on AMD it is a source build against a ROCm torch, which attn-doctor does not make")


def code(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    """Code for the GPU in the releases there are, and in the one that is installed."""
    if gpu is None or gpu.vendor != "nvidia" or gpu.compute_capability is None:
        return
    gpu_major = capability(gpu.compute_capability)[0]
    row = source_build("flash-attn", "2")
    have = BROUGHT.version(machine)
    first = row.first_with_code_for.get(str(gpu_major))
    if gpu_major >= min(row.majors) and gpu_major not in row.majors:
        yield Obstacle(
            "blocked", f"no release up to {row.version} has code for compute capability {gpu.compute_capability}"
        )
    elif first and have and numbers(have) < numbers(first):
        yield Obstacle("installable", f"{have} has no code for this GPU; {first} and later have")


def ways(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    if gpu and gpu.vendor == "nvidia":
        yield from BROUGHT.ways(machine, gpu)


BACKEND = Backend(
    "flash_attention_2",
    "FlashAttention 2",
    obstacles,
    BROUGHT.version,
    ways,
    package="flash-attn",
    remarks=BROUGHT.remarks,
)
