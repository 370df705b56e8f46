"""Values as Python code."""

from __future__ import annotations

from collections.abc import Sequence

from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.capability import capability


def literal(value: str | Sequence[str]) -> str:
    """With double quotes, as the code around it: 'a' -> "a"; one of a tuple keeps its comma."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    inside = ", ".join(map(literal, value))
    return f"({inside},)" if len(value) == 1 else f"({inside})"


def of_table() -> dict[str, str]:
    """What FlashAttention 2 demands of a GPU, as text and as torch has it, and the first torch with sdpa."""
    least, first = demands("flash_attention_2").min_capability or "0.0", demands("sdpa").first_torch or "0"
    return {"capability": least, "floor": str(capability(least)), "first_torch": ".".join(first.split(".")[:2])}
