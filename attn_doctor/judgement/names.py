"""Backends by the names people write."""

from __future__ import annotations

from attn_doctor.errors import UsageError
from attn_doctor.judgement.backend import backends

ALIASES = {
    "manual": "eager",
    "math": "eager",
    "fa1": "flash_attention_1",
    "fa2": "flash_attention_2",
    "flash_attn_2": "flash_attention_2",
    "flash-attn": "flash_attention_2",
    "fa3": "flash_attention_3",
    "fa4": "flash_attention_4",
}


def backend(name: str) -> str:
    """The backend of that name or alias. Raises UsageError with the nearest name."""
    found = ALIASES.get(name.lower(), name.lower())
    if found in backends():
        return found
    from difflib import get_close_matches

    near = get_close_matches(found, [*backends(), *ALIASES], n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise UsageError(f"there is no backend {name!r}", f"{hint}Backends: {', '.join(backends())}.")
