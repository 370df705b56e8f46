"""flash_attention_1

flash-attn 1.0.9, the last release with kernels for Turing (T4, RTX 20, TITAN RTX): fp16, head dimensions up to 128,
no GQA and no sliding window. It is no longer maintained, and takes the place of flash-attn 2: both have one name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends._flash import built_remark, installed_or_way
from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.versions import major

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu
    from attn_doctor.machine.probes.packages import Package

SERIES = 1


def installed(machine: Machine) -> Package | None:
    package = machine.packages.get("flash-attn")
    return package if package and major(package.version) == SERIES else None


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("flash_attention_1")
    yield from conditions.nvidia_gpu(machine, gpu, row)
    yield from conditions.needs(need, row, gpu, None)
    yield from conditions.driver(machine)
    yield from conditions.torch(machine, gpu)


def ways(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    yield from installed_or_way(machine, gpu, installed(machine), "flash-attn", "1")


def version(machine: Machine) -> str | None:
    package = installed(machine)
    return package.version if package else None


BACKEND = Backend(
    "flash_attention_1",
    "FlashAttention 1",
    obstacles,
    version,
    ways,
    package="flash-attn",
    series="1",
    remarks=lambda machine, _gpu, _need: built_remark(installed(machine)),
)
