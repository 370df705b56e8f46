"""The CUDA of the torch builds in NVIDIA's containers, which their version does not say."""

import msgspec

from attn_doctor.knowledge.tables import rows
from attn_doctor.knowledge.versions import local, numbers


class Row(msgspec.Struct, frozen=True):
    """From which container release on which CUDA."""

    since: str
    cuda: str
    source: str


def cuda_of(version: str) -> str | None:
    """'13.0' for '2.8.0a0+34c6371d24.nv25.08'; None for a version that is not NVIDIA's or older than the table."""
    release = (local(version) or "").partition(".nv")[2]
    older = [row for row in rows("vendor_torch", Row) if release and numbers(row.since) <= numbers(release)]
    return older[-1].cuda if older else None
