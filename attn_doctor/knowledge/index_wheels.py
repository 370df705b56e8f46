"""Pure Python files of the package index that bring a backend and stand in no list of compiled wheels."""

import msgspec

from attn_doctor.knowledge.tables import rows


class IndexWheel(msgspec.Struct, frozen=True):
    """One file, taken by name through the user's own package index."""

    package: str
    version: str
    filename: str
    sha256: str
    size_bytes: int
    brings: str
    source: str


def index_wheel(backend: str) -> IndexWheel | None:
    """The file that brings that backend by itself."""
    return next((row for row in rows("index_wheels", IndexWheel) if row.brings == backend), None)
