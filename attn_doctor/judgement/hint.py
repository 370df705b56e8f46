"""What helps on this machine where no FlashAttention runs: hints, found by listing their folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from attn_doctor.discovery import discover
from attn_doctor.judgement.report import BackendVerdict, Hint
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import hints as knowledge
from attn_doctor.knowledge.capability import capability

Advise = Callable[[Machine, frozenset[str]], Hint | None]
FLASH = "flash_attention_"


@cache
def advisers() -> tuple[Advise, ...]:
    """Every hint of the folder, sorted by the name of its file."""
    return tuple(module.advise for module in discover(__package__ + ".hints"))


def hints(machine: Machine, verdicts: Sequence[BackendVerdict]) -> tuple[Hint, ...]:
    """Those that gain something here; none where a FlashAttention is ready, and none on a CPU."""
    ready = frozenset(verdict.name for verdict in verdicts if verdict.status == "ready")
    if machine.torch is None or machine.device == "cpu" or any(name.startswith(FLASH) for name in ready):
        return ()
    return tuple(hint for advise in advisers() if (hint := advise(machine, ready)) is not None)


def all_reach(capabilities: Iterable[str], name: str) -> bool:
    """Whether every GPU is of the generation from which on this gains something; False where none is known."""
    floor = capability(knowledge.floor(name))
    known = [capability(one) for one in capabilities]
    return bool(known) and min(known) >= floor
