"""Which backend was fastest: the mean over the shapes that all of them ran."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log

import msgspec

from attn_doctor.knowledge.tolerances import tolerance
from attn_doctor.measure.benchmark import MEASURED, Timing
from attn_doctor.measure.shapes import Shape

WHICH = ("both", "forward")  # training says more than inference where both were measured


class Rank(msgspec.Struct, frozen=True, kw_only=True):
    """A backend beside the fastest. `times`: geometric mean of its time over the fastest's; 1: it is the fastest."""

    subject: str
    times: float
    shapes: int
    noisy: bool = False


def ranking(timings: Iterable[Timing], direction: str) -> tuple[Rank, ...]:
    """The fastest first; backends that did not run every shape that the others ran are judged on those they share.

    Kernels of sdpa by themselves are no backends and stay out; so does a backend that was wrong on a shape.
    """
    listed = list(timings)
    out = {row.subject for row in listed if wrong(row)}
    rows = [
        row
        for row in listed
        if row.direction == direction and row.status == MEASURED and row.ms and "." not in row.subject
        if row.subject not in out
    ]
    by_subject: dict[str, dict[Shape, Timing]] = {}
    for row in rows:
        by_subject.setdefault(row.subject, {})[row.shape] = row
    if not by_subject:
        return ()
    shared = set.intersection(*(set(found) for found in by_subject.values()))
    if not shared:
        return ()
    means = {name: _mean([found[shape].ms or 0.0 for shape in shared]) for name, found in by_subject.items()}
    best = min(means.values())
    ranks = (
        Rank(
            subject=name,
            times=mean / best,
            shapes=len(shared),
            noisy=any(by_subject[name][shape].noisy for shape in shared),
        )
        for name, mean in means.items()
    )
    return tuple(sorted(ranks, key=lambda rank: (rank.times, rank.subject)))


def wrong(row: Timing) -> bool:
    """Whether its result is another one than eager's: further from it than rounding of both takes them."""
    return row.difference is not None and row.difference > allowed(row)


def allowed(row: Timing) -> float:
    """Beside the error of eager, a backend may have the largest share of it that a single value may have."""
    known = tolerance(row.shape.dtype, row.subject)
    return (1 + known.largest) * max(known.floor, known.unit)


def told(timings: Sequence[Timing]) -> tuple[str, tuple[Rank, ...]]:
    """The direction that is worth most, and its ranking; '' where nothing was measured."""
    found = ((direction, ranking(timings, direction)) for direction in WHICH)
    return next(((direction, ranks) for direction, ranks in found if ranks), ("", ()))


def _mean(values: Sequence[float]) -> float:
    """Geometric: twice as fast on one shape makes up for half as fast on another."""
    return exp(sum(map(log, values)) / len(values))
