"""Expandable segments: an allocator that grows what it has, against out-of-memory from fragmentation."""

from __future__ import annotations

from attn_doctor.judgement.report import Hint
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import hints

SETTING = "expandable_segments"


def advise(machine: Machine, _ready: frozenset[str]) -> Hint | None:
    api = hints.api(SETTING, machine.torch.version) if machine.torch else None
    system = "wsl" if machine.system and machine.system.wsl else machine.os
    if api is None or machine.device != "cuda" or not hints.has_expandable_segments(system):
        return None
    given = (machine.environment.get(name, "") for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"))
    if any(SETTING in value for value in given):
        return None
    if not machine.capabilities or not all(hints.has_expandable_segments(one) for one in machine.capabilities):
        return None
    text = "fewer out-of-memory errors that say 'reserved but unallocated'; set it before Python starts"
    name = hints.allocator_variable(api.value, machine.environment)
    value = ",".join(filter(None, (machine.environment.get(name), f"{SETTING}:True")))
    return Hint(SETTING, text, f"export {name}={value}", api.source)
