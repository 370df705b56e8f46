"""The published JSON Schemas (2020-12), generated from the types by `make docs`."""

from __future__ import annotations

import os
from typing import Any

import msgspec


def source(name: str) -> str:
    """A schema as it is published."""
    with open(os.path.join(os.path.dirname(__file__), f"{name}.json"), encoding="utf-8") as file:
        return file.read()


def load(name: str) -> dict[str, Any]:
    """A schema by its name: `facts`, `report`, `wheels`."""
    return msgspec.json.decode(source(name), type=dict[str, Any])
