"""AD108 gpu-does-not-answer

The driver counts a GPU that does not answer: it fell off the bus, or reports an error that only a reset clears. The
kernel log names the Xid error that says why.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.gpus import Gpu


def check(gpus: tuple[Gpu, ...]) -> Problem | None:
    silent = [f"GPU {gpu.index}: {gpu.fault}" for gpu in gpus if gpu.fault]
    return Problem("; ".join(silent) + ".", fix=("sudo dmesg | grep -i xid",)) if silent else None


RULE = Rule("AD108", "gpu-does-not-answer", "error", "a GPU does not answer", check)
