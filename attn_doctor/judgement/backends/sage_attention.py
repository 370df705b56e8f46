"""sage_attention

SageAttention: 8-bit attention for inference; it has no backward pass. The package index carries 1.0.6, written in
Triton; 2.x is a source build, with community wheels for Windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends._package import Brought, unfit
from attn_doctor.judgement.backends.triton import compiler_chain
from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import major

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu
    from attn_doctor.wheels.catalogue import Wheel

BROUGHT = Brought("sageattention")


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("sage_attention")
    yield from conditions.cuda_package(machine, gpu, need, row)
    yield from compiler_chain(machine)


def ways(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    package = BROUGHT.installed(machine)
    wrong = unfit(machine, gpu, BROUGHT.package, package) if package else None
    if package is None or wrong:
        found = [wheel for wheel in wheel_choice.fits(machine, gpu, BROUGHT.package) if _serves(wheel, gpu)]
        if not found and not wheel_choice.by_name(machine, BROUGHT.package):
            yield from ([Obstacle("blocked", wrong)] if wrong else [])
            yield from wheel_choice.not_allowed(machine, _others(machine, gpu), "blocked")
            return
        way = wheel_choice.described(found[0]) if found else "1.0.6, its Triton kernels"
        yield Obstacle("installable", f"{wrong}; {way}" if wrong else way)


def _others(machine: Machine, gpu: Gpu | None) -> tuple[str, ...]:
    """Whose files there are: of compiled ones those that fit, and the index's own, which fits everywhere."""
    from attn_doctor.judgement import wheel_choice
    from attn_doctor.judgement.allowed import INDEX

    return (INDEX, *wheel_choice.refused(machine, BROUGHT.package, wheel_choice.key(machine, gpu)))


def _serves(wheel: Wheel, gpu: Gpu | None) -> bool:
    """Whether that series has kernels for the GPU."""
    least = demands("sage_attention").min_capability_of_series.get(str(major(wheel.version)))
    on = gpu.compute_capability if gpu else None
    return least is None or on is None or capability(on) >= capability(least)


def remarks(machine: Machine, gpu: Gpu | None, need: Need) -> tuple[str, ...]:
    return (*BROUGHT.remarks(machine, gpu, need), "8-bit, inference only")


BACKEND = Backend(
    "sage_attention", "SageAttention", obstacles, BROUGHT.version, ways, package=BROUGHT.package, remarks=remarks
)
