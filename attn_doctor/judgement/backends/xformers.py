"""xformers

xFormers' memory_efficient_attention. Each release is built for one torch release (from 0.0.35 on for torch 2.10 and
later) and one CUDA version: both decide whether a wheel loads. Wheels since 0.0.31 carry code from compute capability
7.5 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions, xformers_beside
from attn_doctor.judgement.backend import Backend, Obstacle, worst
from attn_doctor.judgement.backends._package import Brought
from attn_doctor.knowledge.attention import demands, xformers_floor
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import public

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu

BROUGHT = Brought("xformers")


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("xformers")
    if gpu and gpu.vendor == "amd":
        if BROUGHT.installed(machine) is None:
            yield Obstacle("blocked", "on AMD it comes from a ROCm folder of the PyTorch index, by hand")
        return
    yield from conditions.cuda_package(machine, gpu, need, row)
    if (have := BROUGHT.version(machine)) and (why := xformers_beside.refused(machine)):
        yield Obstacle("blocked", f"{have} {why}")


def no_code(machine: Machine, gpu: Gpu) -> str | None:
    """Where the installed version was built without code for the GPU."""
    have = BROUGHT.version(machine)
    if have is None or gpu.compute_capability is None:
        return None
    floor = xformers_floor(have)
    if capability(gpu.compute_capability) >= capability(floor.min_capability):
        return None
    return f"the wheels of {have} have code from compute capability {floor.min_capability} on"


def ways(machine: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
    if gpu is None or gpu.vendor != "nvidia":
        return
    found = list(BROUGHT.ways(machine, gpu, wrong=no_code(machine, gpu) or pin_mismatch(machine)))
    if found and (why := beside_flash_attn(machine, gpu)):
        yield Obstacle(worst(found), why)
    yield from found


def beside_flash_attn(machine: Machine, gpu: Gpu) -> str | None:
    """Why the release for this torch cannot come in, where that is the flash-attn that is there."""
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for
    from attn_doctor.wheels.resolve import fitting

    if BROUGHT.version(machine) or wheel_choice.fits(machine, gpu, "xformers"):
        return None
    first = next(iter(fitting("xformers", wheel_choice.key(machine, gpu))), None)
    why = xformers_beside.refused(machine, first.version) if first else None
    return f"{first.version} {why}" if first and why else None


def pin_mismatch(machine: Machine) -> str | None:
    """Each release demands one torch: installing another afterwards breaks its extension."""
    have, torch = BROUGHT.version(machine), machine.torch
    if have is None or torch is None or not torch.released:
        return None
    from attn_doctor.wheels.catalogue import wheels

    demanded = {wheel.torch for wheel in wheels("xformers") if wheel.version == public(have) and wheel.torch}
    exact = {pin for pin in demanded if not pin.startswith(">=")}
    if not exact or len(exact) < len(demanded) or public(torch.version) in exact:
        return None
    return f"{have} was built for torch {' or '.join(sorted(exact))}; torch {torch.version} is installed"


BACKEND = Backend(
    "xformers",
    "xFormers",
    obstacles,
    BROUGHT.version,
    ways,
    package="xformers",
    remarks=BROUGHT.remarks,
)
