"""Mixed precision: bf16 where the GPU has it, else fp16 with a gradient scaler, where that is fast."""

from __future__ import annotations

from attn_doctor.judgement.hint import all_reach
from attn_doctor.judgement.report import Hint
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import hints


def advise(machine: Machine, _ready: frozenset[str]) -> Hint | None:
    version = machine.torch.version if machine.torch else ""
    autocast = hints.api("autocast", version)
    scaler = hints.api("grad_scaler", version)
    if machine.device != "cuda" or autocast is None or scaler is None:
        return None
    if all_reach(machine.capabilities, "bf16"):
        text = "bfloat16 in the forward pass: less memory, and no gradient scaler needed"
        return Hint("mixed_precision", text, f"with {_with(autocast.value, 'torch.bfloat16')}:", autocast.source)
    if not all_reach(machine.capabilities, "fp16"):
        return None
    text = (
        f"float16 in the forward pass, with a gradient scaler in training; bfloat16 is slow below {hints.floor('bf16')}"
    )
    snippet = f"scaler = {scaler.value}\nwith {_with(autocast.value, 'torch.float16')}:"
    return Hint("mixed_precision", text, snippet, scaler.source)


def _with(call: str, dtype: str) -> str:
    return call.replace("{dtype}", dtype)
