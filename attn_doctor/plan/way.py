"""What a way is, and how the ways of the folder are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

import msgspec

from attn_doctor.discovery import discover
from attn_doctor.plan.plan import Method, Plan
from attn_doctor.plan.request import Case


class Way(msgspec.Struct, frozen=True):
    """One kind of plan. Of several that can be carried out the lowest `rank` is preferred.

    `alone`: it may stand at the head of the answer, and not only among the other ways.
    """

    name: str
    rank: int
    method: Method
    plans: Callable[[Case], Iterable[Plan]]
    alone: bool = True


@cache
def ways() -> tuple[Way, ...]:
    """Every way of the folder, best first."""
    found: list[Way] = [module.WAY for module in discover(__package__ + ".ways")]
    return tuple(sorted(found, key=lambda way: way.rank))
