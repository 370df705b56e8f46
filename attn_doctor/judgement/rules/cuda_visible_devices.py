"""AD109 cuda-visible-devices-misuse

CUDA reads the list from left to right and stops at the first item that it does not know: a number without a GPU, -1,
a UUID among numbers. What stands behind it is not used. A GPU that is named twice leaves none at all. Changing the
variable once a program has touched CUDA does nothing or ends in "CUDA unknown error".
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _visible
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.gpus import Gpu


def check(machine: Machine, environment: dict[str, str], gpus: tuple[Gpu, ...]) -> Problem | None:
    value = environment.get("CUDA_VISIBLE_DEVICES")
    cards = [gpu for gpu in gpus if gpu.vendor == "nvidia"]
    # none visible is AD107, partitions are AD110
    if value is None or not cards or any(gpu.mig for gpu in cards):
        return None
    asked = _visible.parse(value)
    if twice := _visible.twice(asked):
        return _twice(value, twice, asked)
    if not machine.gpus:
        return None  # AD107
    if asked.kind != "index":
        return None
    gone = next((item for item in asked.items if int(item) >= len(cards)), None)
    stop = gone or next(iter(asked.rest), "")
    # -1 ends a list on purpose, and a comma at its end is none
    if gone is None and not stop.lower().startswith(("gpu-", "mig-")):
        return None
    good = asked.items[: asked.items.index(gone)] if gone else asked.items
    there = "is 1 GPU" if len(cards) == 1 else f"are {len(cards)}"
    fault = f"there is no GPU {gone}: there {there}" if gone else "an identifier stands among numbers"
    shown = f"={value!r}" if gone and not asked.rest else ""
    return Problem(
        f"CUDA_VISIBLE_DEVICES{shown}: {fault}. CUDA stops reading there and uses {', '.join(good)} alone.",
        fix=(f"export CUDA_VISIBLE_DEVICES={','.join(good)}",),
    )


def _twice(value: str, item: str, asked: _visible.Asked) -> Problem:
    once = ",".join(dict.fromkeys(asked.items))
    shown = f"={value!r}" if asked.kind == "index" else ""  # identifiers stay out of reports
    named = item if asked.kind == "index" else "a GPU"
    return Problem(
        f"CUDA_VISIBLE_DEVICES{shown} names {named} twice: CUDA then shows no GPU at all.",
        fix=(f"export CUDA_VISIBLE_DEVICES={once}" if asked.kind == "index" else "unset CUDA_VISIBLE_DEVICES",),
    )


RULE = Rule("AD109", "cuda-visible-devices-misuse", "warning", "CUDA_VISIBLE_DEVICES asks for what is not there", check)
