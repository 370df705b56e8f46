"""flash_attention_3

flash-attn-3, written for Hopper (H100, H200, GH200). Published files are on the PyTorch wheel index and with two
community builders, not on the package index. Its source also has kernels for Ampere and Ada, but no published file is
known to carry them. Blackwell is not served: every capability from 9.0 up is sent to kernels that only 9.0 can run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends._flash import built_remark, installed_or_way
from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.capability import capability

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu
    from attn_doctor.machine.probes.packages import Package

HOPPER = 9


def installed(machine: Machine) -> Package | None:
    return machine.packages.get("flash-attn-3")


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("flash_attention_3")
    yield from conditions.nvidia_gpu(machine, gpu, row)
    yield from conditions.needs(need, row, gpu, None)
    yield from conditions.driver(machine)
    yield from conditions.torch(machine, gpu)
    yield from before_hopper(gpu)


def before_hopper(gpu: Gpu | None) -> Iterator[Obstacle]:
    """Ampere and Ada have kernels in the source, and no file that is known to hold them."""
    if gpu and gpu.compute_capability and capability(gpu.compute_capability)[0] < HOPPER:
        yield Obstacle("blocked", f"made for Hopper; no file known for {gpu.compute_capability}")


def ways(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    yield from installed_or_way(machine, gpu, installed(machine), "flash-attn-3")


def version(machine: Machine) -> str | None:
    package = installed(machine)
    return package.version if package else None


BACKEND = Backend(
    "flash_attention_3",
    "FlashAttention 3",
    obstacles,
    version,
    ways,
    package="flash-attn-3",
    remarks=lambda machine, _gpu, _need: built_remark(installed(machine)),
)
