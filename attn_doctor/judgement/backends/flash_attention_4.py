"""flash_attention_4

flash-attn-4, written in Python (CuTe DSL) and compiled on first use: forward on compute capability 8.0 to 12.1,
backward from 9.0. There are only pre-releases so far. It shares the import name `flash_attn` with flash-attn 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends._package import Brought
from attn_doctor.knowledge.attention import Demands, demands
from attn_doctor.knowledge.capability import capability

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu

BROUGHT = Brought("flash-attn-4")
BACKWARD_MAJOR = 9


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("flash_attention_4")
    yield from conditions.cuda_package(machine, gpu, need, row)
    yield from conditions.new_enough(machine, row)
    yield from pythons(machine, row)


def pythons(machine: Machine, row: Demands) -> Iterator[Obstacle]:
    """A Python for which nvidia-cutlass-dsl, its compiler, is published."""
    if machine.python is None:
        return
    minor = ".".join(machine.python.version.split(".")[:2]) + ("t" if machine.python.free_threaded else "")
    if minor not in row.pythons:
        yield Obstacle("blocked", f"nvidia-cutlass-dsl has no wheel for Python {minor}")


def ways(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    if BROUGHT.installed(machine) is None:
        found = wheel_choice.fits(machine, gpu, BROUGHT.package)
        if found:
            yield Obstacle("installable", f"{found[0].version}, a pre-release: it has no other")
        elif others := wheel_choice.refused(machine, BROUGHT.package, wheel_choice.key(machine, gpu)):
            yield from wheel_choice.not_allowed(machine, others, "blocked")
        else:
            yield Obstacle("blocked", "no release for this Python and system")


def remarks(machine: Machine, gpu: Gpu | None, need: Need) -> tuple[str, ...]:
    forward_only = gpu and gpu.compute_capability and capability(gpu.compute_capability)[0] < BACKWARD_MAJOR
    return (*BROUGHT.remarks(machine, gpu, need), *(("forward only on 8.x",) if forward_only else ()))


BACKEND = Backend(
    "flash_attention_4", "FlashAttention 4", obstacles, BROUGHT.version, ways, package=BROUGHT.package, remarks=remarks
)
