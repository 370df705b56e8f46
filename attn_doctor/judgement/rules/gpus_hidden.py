"""AD107 gpus-hidden

CUDA_VISIBLE_DEVICES decides which GPUs a process sees. Empty, -1 or a number that does not exist hides them all: torch
then says that CUDA is not available, as if there were no GPU.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _visible
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.gpus import Gpu


def check(machine: Machine, environment: dict[str, str], gpus: tuple[Gpu, ...]) -> Problem | None:
    hidden = environment.get("CUDA_VISIBLE_DEVICES")
    if (
        hidden is None
        or _visible.twice(_visible.parse(hidden))
        or machine.gpus
        or not any(gpu.vendor == "nvidia" for gpu in gpus)
    ):
        return None
    return Problem(
        f"CUDA_VISIBLE_DEVICES={hidden!r} hides all {len(gpus)} GPUs from torch.", fix=("unset CUDA_VISIBLE_DEVICES",)
    )


RULE = Rule("AD107", "gpus-hidden", "warning", "an environment variable hides every GPU", check)
