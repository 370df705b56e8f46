"""What is known against a release, beyond whether it fits."""

import msgspec

from attn_doctor.knowledge.tables import rows


class Advisory(msgspec.Struct, frozen=True):
    """One sentence on the releases from `since` on and below `before`."""

    package: str
    since: str
    before: str
    text: str
    source: str


def advisories(package: str) -> tuple[Advisory, ...]:
    """Every row that speaks of a release of that package."""
    return tuple(row for row in rows("advisories", Advisory) if row.package == package)
