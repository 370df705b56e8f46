"""How old a table may be before a reader should be told."""

import msgspec

from attn_doctor.knowledge.tables import rows


class Freshness(msgspec.Struct, frozen=True):
    """What is still taken for up to date for so many days."""

    what: str
    days: int
    source: str


def is_stale(what: str, as_of: str, today: str) -> bool:
    """Whether what was true on one day ('2026-11-21') may no longer be on another."""
    from datetime import date

    (limit,) = (row.days for row in rows("freshness", Freshness) if row.what == what)
    return (date.fromisoformat(today) - date.fromisoformat(as_of)).days > limit
