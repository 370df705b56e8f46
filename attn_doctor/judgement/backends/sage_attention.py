"""sage_attention

SageAttention: 8-bit attention for inference; it has no backward pass. The package index carries 1.0.6, written in
Triton; 2.x is a source build, with community wheels for Windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends._flash import built_remark, unfit
from attn_doctor.judgement.backends.triton import compiler_chain
from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import major

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu
    from attn_doctor.machine.probes.packages import Package
    from attn_doctor.wheels.catalogue import Wheel

PACKAGE = "sageattention"


def installed(machine: Machine) -> Package | None:
    return machine.packages.get(PACKAGE)


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("sage_attention")
    yield from conditions.nvidia_gpu(machine, gpu, row)
    yield from conditions.needs(need, row, gpu, None)
    yield from conditions.driver(machine)
    yield from conditions.torch(machine, gpu)
    yield from compiler_chain(machine)


def ways(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    package = installed(machine)
    wrong = unfit(machine, gpu, PACKAGE, package) if package else None
    if package is None or wrong:
        found = [wheel for wheel in wheel_choice.fits(machine, gpu, PACKAGE) if _serves(wheel, gpu)]
        way = wheel_choice.described(found[0]) if found else "1.0.6, its Triton kernels"
        yield Obstacle("installable", f"{wrong}; {way}" if wrong else way)


def _serves(wheel: Wheel, gpu: Gpu | None) -> bool:
    """Whether that series has kernels for the GPU."""
    least = demands("sage_attention").min_capability_of_series.get(str(major(wheel.version)))
    on = gpu.compute_capability if gpu else None
    return least is None or on is None or capability(on) >= capability(least)


def remarks(machine: Machine, _gpu: Gpu | None, _need: Need) -> tuple[str, ...]:
    return (*built_remark(installed(machine)), "8-bit, inference only")


def version(machine: Machine) -> str | None:
    package = installed(machine)
    return package.version if package else None


BACKEND = Backend("sage_attention", "SageAttention", obstacles, version, ways, package=PACKAGE, remarks=remarks)
