"""What things take once they are unpacked, where that was measured."""

import msgspec

from attn_doctor.knowledge.tables import rows


class DiskUse(msgspec.Struct, frozen=True):
    """One measurement, in bytes."""

    what: str
    bytes: int
    source: str


def cuda_torch() -> DiskUse:
    """A torch with the CUDA libraries that it demands."""
    return next(row for row in rows("disk_use", DiskUse) if row.what == "torch with its CUDA libraries")
