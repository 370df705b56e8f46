"""What was measured here, where it still speaks of this machine and this environment."""

from __future__ import annotations

from attn_doctor.judgement.need import Need
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.measured import Measured, Place

# what another version of may change the times; torch and the driver are compared besides
PACKAGES = ("flash-attn", "flash-attn-3", "flash-attn-4", "kernels", "sageattention", "triton", "xformers")
ASKED_FOR = {"causal", "gqa", "backward"}  # of the features of a need, what a benchmark calls with
CLEAR = 1.05  # times the fastest: a smaller lead is no reason to change
DIRECTIONS = {"both": "forward and backward", "forward": "forward"}


def software(machine: Machine) -> dict[str, str]:
    """The versions that times depend on."""
    return {name: machine.packages[name].version for name in PACKAGES if name in machine.packages}


def device(machine: Machine) -> str:
    """As a benchmark names it: the first GPU that torch sees, or 'cpu'."""
    return machine.gpus[0].name if machine.device in ("cuda", "rocm") and machine.gpus else "cpu"


def measured(machine: Machine) -> Measured | None:
    """None where nothing was measured, or with another torch, driver, package or device than now."""
    found: Measured | None = machine.measured
    if found is None or machine.torch is None:
        return None
    driver = machine.driver.version if machine.driver else None
    same = found.same_as(machine.torch.version, software(machine), device(machine), driver)
    return found if same else None


def speaks_of(found: Measured, need: Need) -> bool:
    """Whether what was measured is what is needed: the same dtype, and nothing that no benchmark asks for."""
    return need.dtype in (None, found.dtype) and set(need.features) <= ASKED_FOR


def fastest(found: Measured, ready: set[str], foreseen: str | None) -> tuple[Place, str] | None:
    """The first of the backends that are ready, and the sentence on it; None where none of those leads clearly.

    It says nothing against the foreseen one where that was not measured beside it.
    """
    places = [place for place in found.places if place.backend in ready]
    if len(places) < 2 or foreseen not in {place.backend for place in places}:  # noqa: PLR2004 - nothing to choose
        return None
    first, second = places[0], places[1]
    clear = 2 * CLEAR - 1 if first.noisy or second.noisy else CLEAR
    if second.times / first.times < clear:
        return None
    said = f"{second.times / first.times:.1f} times as fast as {second.backend}"
    shapes = f"{first.shapes} shape{'s' if first.shapes > 1 else ''}"
    where = f"{DIRECTIONS.get(found.direction, found.direction)}, {found.dtype}, {shapes}"
    return first, f"measured here on {found.date[:10]}: {first.backend} is {said} ({where})"
