"""flash_attention_1

flash-attn 1.0.9, the last release with kernels for Turing (T4, RTX 20, TITAN RTX): fp16, head dimensions up to 128,
no GQA and no sliding window. It is no longer maintained, and takes the place of flash-attn 2: both have one name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends._package import Brought
from attn_doctor.knowledge.attention import demands

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu

BROUGHT = Brought("flash-attn", series="1")


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("flash_attention_1")
    yield from conditions.cuda_package(machine, gpu, need, row)


BACKEND = Backend(
    "flash_attention_1",
    "FlashAttention 1",
    obstacles,
    BROUGHT.version,
    BROUGHT.ways,
    package="flash-attn",
    series="1",
    remarks=BROUGHT.remarks,
)
