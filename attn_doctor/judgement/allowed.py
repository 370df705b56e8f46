"""Whose prebuilt wheels may be installed here: what a project's policy says, for every judge that looks for a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from attn_doctor.wheels.catalogue import Wheel

INDEX = "pypi"  # the source of what is installed by name
SHOWN = 3


class Allowed(msgspec.Struct, frozen=True):
    """The sources that are allowed, by the names of the catalogue; `said_at`: where that stands, pyproject.toml:12."""

    sources: tuple[str, ...]
    said_at: str

    def of(self, found: Iterable[Wheel]) -> tuple[Wheel, ...]:
        """Those of the files that may be installed, in their order."""
        return tuple(wheel for wheel in found if wheel.source in self.sources)

    def refusal(self, sources: Sequence[str], beside: str | None = None) -> str:
        """Why files of these sources are not taken, where no others fit. `beside`: the torch that they would fit."""
        there = f", with {beside}," if beside else ""
        one = f"the only wheel that fits{there} comes" if len(sources) == 1 else f"the only wheels that fit{there} come"
        return f"{one} from {listed(sources)}, which {self.said_at} does not allow"

    def remedy(self, sources: Sequence[str]) -> str:
        """What whoever wants one of them does."""
        which = "it" if len(sources) == 1 else "one of them"
        return f"to take {which}, add {' or '.join(sources[:SHOWN])} to wheel-sources there"


def listed(sources: Sequence[str]) -> str:
    """'fa-official', 'mjun0812 and pypi', 'a, b, c and 2 others'."""
    *first, last = sources[:SHOWN] if len(sources) <= SHOWN else (*sources[:SHOWN], f"{len(sources) - SHOWN} more")
    return f"{', '.join(first)} and {last}" if first else last


def sources_of(found: Iterable[Wheel]) -> tuple[str, ...]:
    """Whose files these are, each source once."""
    return tuple(dict.fromkeys(wheel.source for wheel in found))
