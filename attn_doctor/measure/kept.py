"""What `check` keeps of a benchmark: how the backends placed, and what settings brought."""

from __future__ import annotations

import msgspec

from attn_doctor.machine.probes.measured import Brought, Measured, Place
from attn_doctor.measure.benchmark import Benchmark
from attn_doctor.measure.brought import brought
from attn_doctor.measure.conditions import doubts
from attn_doctor.measure.ranking import told

TWO = 2  # backends, or there is nothing to rank


def digest(one: Benchmark, prefix: str) -> Measured | None:
    """What `check` needs of a benchmark; None where nothing in it ranks backends or settings.

    `prefix`: the real path of the environment's folder. An interrupted run tells too little.
    """
    direction, ranks = told(one.timings)
    gained = tuple(
        Brought(setting=found.setting, speedup=round(found.faster, 3), memory=found.memory)
        for found in brought(one.steps)
        if found.faster is not None and not found.noisy
    )
    if one.interrupted or (len(ranks) < TWO and not gained):
        return None
    busy = bool(doubts(one.before, one.after))
    return Measured(
        prefix=prefix,
        date=one.date,
        torch=one.torch,
        packages=one.packages,
        device=device(one),
        driver=one.driver,
        direction=direction,
        dtype=one.timings[0].shape.dtype if one.timings else "",
        places=tuple(
            Place(backend=rank.subject, times=round(rank.times, 4), shapes=rank.shapes, noisy=rank.noisy or busy)
            for rank in ranks
            if len(ranks) >= TWO
        ),
        brought=gained,
    )


def device(one: Benchmark) -> str:
    """As `check` names it."""
    return one.device.name if one.device.kind != "cpu" else "cpu"


def joined(new: Measured, earlier: Measured | None) -> Measured:
    """What the new run did not look at stays from the earlier one, where that was on the same software and device.

    A ranking of some of the backends does not replace one of more of them.
    """
    if earlier is None or not earlier.same_as(new.torch, new.packages, new.device, new.driver):
        return new
    kept = (
        new
        if not {place.backend for place in new.places} < {place.backend for place in earlier.places}
        else msgspec.structs.replace(new, places=earlier.places, direction=earlier.direction, dtype=earlier.dtype)
    )
    return kept if kept.brought else msgspec.structs.replace(kept, brought=earlier.brought)
