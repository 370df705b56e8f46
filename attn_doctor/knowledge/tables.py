"""Loading a table of this folder into typed rows."""

from __future__ import annotations

import os
from functools import cache
from typing import TypeVar

import msgspec

T = TypeVar("T")

FOLDER = os.path.dirname(__file__)


@cache
def load(name: str, shape: type[T]) -> T:
    """The table `name`.json of this folder, decoded as `shape`; read once per process."""
    with open(os.path.join(FOLDER, f"{name}.json"), "rb") as file:
        return msgspec.json.decode(file.read(), type=shape)
