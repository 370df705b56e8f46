"""xformers

xFormers' memory_efficient_attention. Each release is built for one torch release (from 0.0.35 on for torch 2.10 and
later) and one CUDA version: both decide whether a wheel loads. Wheels since 0.0.31 carry code from compute capability
7.5 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends._flash import built_remark, installed_or_way
from attn_doctor.knowledge.attention import demands, xformers_floor
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import public

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu
    from attn_doctor.machine.probes.packages import Package


def installed(machine: Machine) -> Package | None:
    return machine.packages.get("xformers")


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("xformers")
    if gpu and gpu.vendor == "amd":
        if installed(machine) is None:
            yield Obstacle("blocked", "on AMD it comes from a ROCm folder of the PyTorch index, by hand")
        return
    yield from conditions.nvidia_gpu(machine, gpu, row)
    yield from conditions.needs(need, row, gpu, None)
    yield from conditions.driver(machine)
    yield from conditions.torch(machine, gpu)
    yield from code(machine, gpu)


def code(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    """Code for the GPU in the installed version."""
    have = version(machine)
    if have is None or gpu is None or gpu.compute_capability is None:
        return
    floor = xformers_floor(have)
    if capability(gpu.compute_capability) < capability(floor.min_capability):
        yield Obstacle("blocked", f"the wheels of {have} have code from compute capability {floor.min_capability} on")


def ways(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    if gpu and gpu.vendor == "nvidia":
        yield from installed_or_way(machine, gpu, installed(machine), "xformers", wrong=pin_mismatch(machine))


def pin_mismatch(machine: Machine) -> str | None:
    """Each release demands one torch: installing another afterwards breaks its extension."""
    have, torch = version(machine), machine.torch
    if have is None or torch is None or not torch.released:
        return None
    from attn_doctor.wheels.catalogue import wheels

    demanded = {wheel.torch for wheel in wheels("xformers") if wheel.version == public(have) and wheel.torch}
    exact = {pin for pin in demanded if not pin.startswith(">=")}
    if not exact or len(exact) < len(demanded) or public(torch.version) in exact:
        return None
    return f"{have} was built for torch {' or '.join(sorted(exact))}; torch {torch.version} is installed"


def version(machine: Machine) -> str | None:
    package = installed(machine)
    return package.version if package else None


BACKEND = Backend(
    "xformers",
    "xFormers",
    obstacles,
    version,
    ways,
    package="xformers",
    remarks=lambda machine, _gpu, _need: built_remark(installed(machine)),
)
