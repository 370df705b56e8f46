"""How far a kernel may be from the truth, by dtype."""

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
    backend: str | None = None
    """Of this backend alone, whatever the dtype."""


def tolerance(dtype: str, backend: str) -> Tolerance:
    """The row of that backend, else of that dtype. Raises KeyError."""
    listed = rows("tolerances", Tolerance)
    own = (row for row in listed if row.backend == backend)
    found = next(own, None) or next((row for row in listed if row.backend is None and row.dtype == dtype), None)
    if found is None:
        raise KeyError(dtype)
    return found
