"""The largest batch of which forward and backward fit, found by doubling and halving."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from attn_doctor.measure.benchmark import Largest
from attn_doctor.measure.shapes import Shape

MOST = 1 << 20


def largest(subject: str, shape: Shape, fits: Callable[[Shape], tuple[bool, str]]) -> Largest:
    """`fits` answers for a shape whether it went through, and what it failed with. A batch of 0: not even one fits."""
    held, failed, stopped = 0, None, ""
    batch = 1
    while failed is None and batch <= MOST:
        went, said = fits(replace(shape, batch=batch))
        if went:
            held, batch = batch, batch * 2
        else:
            failed, stopped = batch, said
    while failed is not None and failed - held > 1:
        middle = (held + failed) // 2
        went, said = fits(replace(shape, batch=middle))
        if went:
            held = middle
        else:
            failed, stopped = middle, said
    return Largest(
        subject=subject, shape=replace(shape, batch=1), batch=held, stopped=stopped or f"not looked beyond {MOST}"
    )
