"""torch.compile: fused kernels around the attention, where Triton runs."""

from __future__ import annotations

from attn_doctor.judgement.report import Hint
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import hints


def advise(machine: Machine, ready: frozenset[str]) -> Hint | None:
    torch, python = machine.torch, machine.python
    api = hints.api("compile", torch.version) if torch else None
    if torch is None or python is None or api is None or "triton" not in ready:
        return None
    if python.free_threaded or not hints.compiles_on(python.version, torch.version):
        return None
    text = "fuses what surrounds the attention; the first calls are slow"
    return Hint("torch_compile", text, api.value, api.source)
