"""Values as Python code."""

from __future__ import annotations

from collections.abc import Sequence


def literal(value: str | Sequence[str]) -> str:
    """With double quotes, as the code around it: 'a' -> "a"; one of a tuple keeps its comma."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    inside = ", ".join(map(literal, value))
    return f"({inside},)" if len(value) == 1 else f"({inside})"
