"""flash_attention_3

flash-attn-3, written for Hopper (H100, H200, GH200). Published files are on the PyTorch wheel index and with two
community builders, not on the package index. Its source also has kernels for Ampere and Ada, but no published file is
known to carry them. Blackwell is not served: every capability from 9.0 up is sent to kernels that only 9.0 can run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import binaries, conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends._package import Brought
from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.capability import capability, covers

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu

BROUGHT = Brought("flash-attn-3")
HOPPER = 9


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("flash_attention_3")
    yield from conditions.cuda_package(machine, gpu, need, row)
    yield from before_hopper(machine, gpu)


def before_hopper(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    """Ampere and Ada have kernels in the source; no published file is known to hold them, an installed one may."""
    if gpu is None or gpu.compute_capability is None or capability(gpu.compute_capability)[0] >= HOPPER:
        return
    if not covers(binaries.architectures(machine, BROUGHT.package), gpu.compute_capability):
        yield Obstacle("blocked", f"made for Hopper; no file known for {gpu.compute_capability}")


BACKEND = Backend(
    "flash_attention_3",
    "FlashAttention 3",
    obstacles,
    BROUGHT.version,
    BROUGHT.ways,
    package="flash-attn-3",
    remarks=BROUGHT.remarks,
)
