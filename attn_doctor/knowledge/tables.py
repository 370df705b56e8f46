"""Loading a table of this folder into typed rows.

No module of this folder has `from __future__ import annotations`: msgspec would evaluate the annotation of every field
from its text, which takes longer than decoding the rows.
"""

import os
from functools import cache
from typing import Any, Generic, TypeVar, cast

import msgspec

T = TypeVar("T")

FOLDER = os.path.dirname(__file__)
# the files of the tables that this process has read
READ: set[str] = set()


def load(name: str, shape: type[T]) -> T:
    """Decode the table `name`.json of this folder, decoded as `shape`; read once per process."""
    return cast("T", _load(name, cast("Any", shape)))


class Rows(msgspec.Struct, Generic[T], frozen=True):
    """A table that is nothing but rows of one kind."""

    as_of: str
    rows: tuple[T, ...]


def rows(name: str, shape: type[T]) -> tuple[T, ...]:
    """The rows of a table that is nothing but rows."""
    table: Rows[T] = load(name, Rows[shape])  # type: ignore[valid-type]
    return table.rows


@cache
def _load(name: str, shape: Any) -> object:
    path = os.path.join(FOLDER, f"{name}.json")
    READ.add(path)
    with open(path, "rb") as file:
        return msgspec.json.decode(file.read(), type=shape)
