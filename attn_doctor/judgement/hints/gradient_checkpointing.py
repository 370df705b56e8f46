"""Gradient checkpointing: activations are computed again in the backward pass instead of being kept."""

from __future__ import annotations

from attn_doctor.judgement.report import Hint
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import hints


def advise(machine: Machine, _ready: frozenset[str]) -> Hint | None:
    api = hints.api("checkpoint", machine.torch.version) if machine.torch else None
    if api is None:
        return None
    text = "in training: less memory for activations, more time for computing them again"
    return Hint("gradient_checkpointing", text, api.value, api.source)
