"""Loading a table of this folder into typed rows."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")

FOLDER = os.path.dirname(__file__)


def load(name: str, shape: type[T]) -> T:
    """Decode the table `name`.json of this folder, decoded as `shape`; read once per process."""
    return cast("T", _load(name, cast("Any", shape)))


@cache
def _load(name: str, shape: Any) -> object:
    with open(os.path.join(FOLDER, f"{name}.json"), "rb") as file:
        return msgspec.json.decode(file.read(), type=shape)
