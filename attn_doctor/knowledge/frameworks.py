"""Which attention implementations each framework takes by name, by its version."""

from __future__ import annotations

import msgspec

from attn_doctor.knowledge.tables import rows
from attn_doctor.knowledge.versions import numbers


class Framework(msgspec.Struct, frozen=True):
    """What a framework accepts from release `since` on."""

    distribution: str
    since: str
    accepted: tuple[str, ...]
    source: str
    default: str | None = None
    verify: str | None = None  # where the resolved choice can be read
    note: str | None = None


def framework(distribution: str, version: str) -> Framework | None:
    """The row for an installed framework; None for one that is not in the table or older than it."""
    own = [row for row in rows("frameworks", Framework) if row.distribution == distribution]
    return next((row for row in own if numbers(version) >= numbers(row.since)), None)
