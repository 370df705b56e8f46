"""Whether what a plan fetches and compiles has room: only a certain lack is one.

Free space is known to the GiB below, so a place that could just do is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.knowledge import disk_use
from attn_doctor.plan.steps import uses_uv

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.disk import Place
    from attn_doctor.plan.plan import Plan

GIB = 1 << 30


def lacking(machine: Machine, one: Plan) -> Iterator[str]:
    """What certainly does not fit where, one sentence for each place."""
    for place in machine.disk:
        for what, takes in _least(machine, one, place.purpose):
            if takes >= place.free_bytes + GIB:
                yield f"{_free(place)}, and {what} takes more: make room there first"


def scarce(machine: Machine, one: Plan) -> Iterator[str]:
    """What may not fit: a torch that comes anew brings CUDA libraries, of which one size was measured."""
    if not _brings_cuda(one) or next(lacking(machine, one), None):
        return
    row = disk_use.cuda_torch()
    for place in machine.disk:
        if place.purpose == "target" and place.free_bytes + GIB <= row.bytes:
            yield f"{_free(place)}; {row.what} takes about {row.bytes / GIB:.1f} GiB"


def _least(machine: Machine, one: Plan, purpose: str) -> Iterator[tuple[str, int]]:
    """The least that a plan writes there: a wheel is never smaller unpacked than it comes down."""
    if one.build is not None and one.cost.disk_bytes and purpose == ("cache" if uses_uv(machine) else "temporary"):
        yield "the build", one.cost.disk_bytes
    if purpose == "target" and one.cost.download_bytes:
        yield "what is downloaded", one.cost.download_bytes
    if purpose == "target" and _brings_cuda(one):
        yield disk_use.cuda_torch().what, disk_use.cuda_torch().bytes // 2  # releases differ, by less than that


def _brings_cuda(one: Plan) -> bool:
    return any(change.package == "torch" and "+cu" in (change.after or "") for change in one.changes)


def _free(place: Place) -> str:
    gib = place.free_bytes >> 30
    return f"{place.path} has {gib} GiB free" if gib else f"{place.path} has less than 1 GiB free"
