"""The published JSON Schemas (2020-12), generated from the types by `make docs`."""

from __future__ import annotations

import os
from typing import Any

import msgspec


def load(name: str) -> dict[str, Any]:
    """A schema by its name: `facts`, `report`, `wheels`."""
    with open(os.path.join(os.path.dirname(__file__), f"{name}.json"), "rb") as file:
        return msgspec.json.decode(file.read(), type=dict[str, Any])
