"""Facts: what the probes read. Three answers, never one: Known, Absent, Unknown."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, Union  # Union: X | Y takes no type variables at run time on 3.10

import msgspec

T = TypeVar("T")


class Known(msgspec.Struct, Generic[T], frozen=True, tag_field="status", tag="known"):
    """The value and where it was seen."""

    value: T
    source: str


class Absent(msgspec.Struct, frozen=True, tag_field="status", tag="absent"):
    """We looked in these places and there is none."""

    looked_in: tuple[str, ...]


class Unknown(msgspec.Struct, frozen=True, tag_field="status", tag="unknown"):
    """We could not look, or did not understand what we saw."""

    reason: str


Reading = Union[Known[T], Absent, Unknown]  # noqa: UP007
AnyReading = Reading[Any]
