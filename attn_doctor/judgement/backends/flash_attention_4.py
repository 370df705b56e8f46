"""flash_attention_4

flash-attn-4, written in Python (CuTe DSL) and compiled on first use: forward on compute capability 8.0 to 12.1,
backward from 9.0. There are only pre-releases so far. It shares the import name `flash_attn` with flash-attn 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends._flash import built_remark
from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.capability import capability

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu
    from attn_doctor.machine.probes.packages import Package

PACKAGE = "flash-attn-4"
BACKWARD_MAJOR = 9


def installed(machine: Machine) -> Package | None:
    return machine.packages.get(PACKAGE)


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("flash_attention_4")
    yield from conditions.nvidia_gpu(machine, gpu, row)
    yield from conditions.needs(need, row, gpu, None)
    yield from conditions.driver(machine)
    yield from conditions.torch(machine, gpu)


def ways(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    if installed(machine) is None:
        found = wheel_choice.fits(machine, gpu, PACKAGE)
        if found:
            yield Obstacle("installable", f"{found[0].version}, a pre-release: it has no other")
        else:
            yield Obstacle("blocked", "no release for this Python and system")


def remarks(machine: Machine, gpu: Gpu | None, _need: Need) -> tuple[str, ...]:
    forward_only = gpu and gpu.compute_capability and capability(gpu.compute_capability)[0] < BACKWARD_MAJOR
    return (*built_remark(installed(machine)), *(("forward only on 8.x",) if forward_only else ()))


def version(machine: Machine) -> str | None:
    package = installed(machine)
    return package.version if package else None


BACKEND = Backend("flash_attention_4", "FlashAttention 4", obstacles, version, ways, package=PACKAGE, remarks=remarks)
