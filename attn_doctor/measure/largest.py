"""The largest batch of which forward and backward fit, found by doubling and halving."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from attn_doctor.measure.benchmark import Largest
from attn_doctor.measure.shapes import Shape

MOST = 1 << 20


def largest(subject: str, shape: Shape, fits: Callable[[Shape], tuple[bool | None, str]]) -> Largest:
    """`fits` answers for a shape whether it went through, and what it failed with. A batch of 0: not even one fits.

    None instead of an answer ends the search: what went through until then is a lower bound, and is said to be one.
    """
    held, failed, stopped, known = 0, 0, "", True
    while known and failed - held != 1 and held < MOST:
        batch = (held + failed) // 2 if failed else max(1, 2 * held)
        went, said = fits(replace(shape, batch=batch))
        if went is None:
            stopped, known = f"{said}: {held} is a lower bound", False
        elif went:
            held = batch
        else:
            failed, stopped = batch, said
    return Largest(
        subject=subject, shape=replace(shape, batch=1), batch=held, stopped=stopped or f"not looked beyond {MOST}"
    )
