"""What is said of readings of a clock: their middle, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles

NOISY = 0.1  # quartiles that far apart, as a share of the median


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) < 2:  # noqa: PLR2004 - nothing lies between one and itself
        return (values[0],) * 3 if values else (0.0, 0.0, 0.0)
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high
