"""What helps on this machine where no FlashAttention runs: hints, found by listing their folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from msgspec.structs import replace

from attn_doctor.discovery import discover
from attn_doctor.judgement.measured import measured
from attn_doctor.judgement.report import Hint
from attn_doctor.judgement.verdict import BackendVerdict
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import hints as knowledge
from attn_doctor.knowledge.capability import capability

Advise = Callable[[Machine, frozenset[str]], Hint | None]
FLASH = "flash_attention_"
LESS = 0.97  # of time or memory: what is nearer to one is no difference


@cache
def advisers() -> tuple[Advise, ...]:
    """Every hint of the folder, sorted by the name of its file."""
    return tuple(module.advise for module in discover(__package__ + ".hints"))


def hints(machine: Machine, verdicts: Sequence[BackendVerdict]) -> tuple[Hint, ...]:
    """Those that gain something here; none where a FlashAttention is ready, and none on a CPU."""
    ready = frozenset(verdict.name for verdict in verdicts if verdict.status == "ready")
    if machine.torch is None or machine.device == "cpu" or any(name.startswith(FLASH) for name in ready):
        return ()
    found = (hint for advise in advisers() if (hint := advise(machine, ready)) is not None)
    return tuple(hint for one in found if (hint := _as_measured(machine, one)) is not None)


def _as_measured(machine: Machine, hint: Hint) -> Hint | None:
    """With what it brought in a benchmark here; None where it cost time and saved no memory."""
    seen = measured(machine)
    brought = next((one for one in seen.brought if one.setting == hint.name), None) if seen else None
    if seen is None or brought is None:
        return hint
    saves = brought.memory is not None and brought.memory < LESS
    if brought.speedup < LESS and not saves:
        return None
    speed = f"{brought.speedup:.2f}x faster" if brought.speedup >= 1 else f"{1 / brought.speedup:.2f}x slower"
    memory = f", memory {brought.memory:.2f}x" if brought.memory is not None else ""
    return replace(hint, text=f"{hint.text}; measured here on {seen.date[:10]}: {speed}{memory}")


def all_reach(capabilities: Iterable[str], name: str) -> bool:
    """Whether every GPU is of the generation from which on this gains something; False where none is known."""
    floor = capability(knowledge.floor(name))
    known = [capability(one) for one in capabilities]
    return bool(known) and min(known) >= floor
