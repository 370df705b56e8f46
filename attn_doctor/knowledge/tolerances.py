"""How far a kernel may be from the truth, by dtype."""

from __future__ import annotations

import msgspec

from attn_doctor.knowledge.tables import rows


class Tolerance(msgspec.Struct, frozen=True):
    """Of one dtype. Errors are relative.

    A backend may have `factor` times the error of eager attention in that dtype (root mean square of the worst head),
    and `largest` times its largest difference.
    """

    dtype: str
    unit: float
    floor: float
    factor: float
    largest: float
    why: str
    source: str


def tolerance(dtype: str) -> Tolerance:
    """The row of a dtype. Raises KeyError."""
    found = next((row for row in rows("tolerances", Tolerance) if row.dtype == dtype), None)
    if found is None:
        raise KeyError(dtype)
    return found
