"""TF32: float32 matrix products on tensor cores, with ten bits of mantissa; off by default."""

from __future__ import annotations

from attn_doctor.judgement.hint import all_reach
from attn_doctor.judgement.report import Hint
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import hints


def advise(machine: Machine, _ready: frozenset[str]) -> Hint | None:
    torch = machine.torch
    api = hints.api("tf32", torch.version) if torch else None
    if api is None or machine.device != "cuda" or not all_reach(machine.capabilities, "tf32"):
        return None
    text = "float32 matrix products on tensor cores, with a mantissa of ten bits"
    return Hint("tf32", text, api.value, api.source)
