"""The CUDA of the torch builds in NVIDIA's containers, which their version does not say."""

from __future__ import annotations

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import local, numbers


class Row(msgspec.Struct, frozen=True):
    """From which container release on which CUDA."""

    since: str
    cuda: str
    source: str


class _Rows(msgspec.Struct, frozen=True):
    as_of: str
    rows: tuple[Row, ...]


def cuda_of(version: str) -> str | None:
    """'13.0' for '2.8.0a0+34c6371d24.nv25.08'; None for a version that is not NVIDIA's or older than the table."""
    release = (local(version) or "").partition(".nv")[2]
    rows = [row for row in load("vendor_torch", _Rows).rows if release and numbers(row.since) <= numbers(release)]
    return rows[-1].cuda if rows else None
