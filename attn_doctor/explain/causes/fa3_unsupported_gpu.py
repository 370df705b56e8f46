"""FlashAttention 3 (or 4) on a GPU for which it has no kernels.

FA3 is written for Hopper; newer builds run on 8.0 too, never on 8.6, 8.9 or Blackwell. What flash-attention's hopper
folder, transformers, vLLM and the kernels of the Hub say. Not xFormers' list of reasons, where "requires device with
capability > (9, 0)" only explains why that one operator is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _attention, _gpus
from attn_doctor.explain.log import Log

FALLS_BACK = r"(?i)^\s*(?:info|warn)|falling back|using (?:flash ?attention|fa) version 2|defaulting to"


def weigh(match: Match, log: Log) -> Strength | None:
    if "No operator found" in log.text:
        return None
    if match.sign.literal == "Cannot use FA version" and _gpus.too_old(log):
        return None  # "Cannot use FA version 2 is not supported due to FA3 ...": older than Ampere
    if match.strength == SIGN and re.search(FALLS_BACK, match.line.text):
        return HINT
    if match.sign.literal == "hopper/" and (gpu := _gpus.seen(log)) is not None and gpu.kind == "blackwell":
        return SIGN
    return match.strength


def explain(match: Match, case: Case) -> str:
    which = "FlashAttention 4" if "cute" in match.line.text or "Supported: " in match.line.text else "FlashAttention 3"
    return (
        f"{which} has no kernels for {_gpus.named(case.log)}. FlashAttention 3 is made for Hopper (H100, H200); "
        "on RTX cards and on Blackwell FlashAttention 2 is the one that runs."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield from _attention.planned(case, "flash_attention_2")
    if case.log.matches(r"(?i)\bvllm\b"):
        yield "VLLM_FLASH_ATTN_VERSION=2 in the environment"
    else:
        yield 'attn_implementation="flash_attention_2" (kernels-community/flash-attn2 from the Hub), or "sdpa"'
    yield "attn-doctor backends   (which of them run on this machine)"


CAUSE = Cause(
    category="fa3-unsupported-gpu",
    stage="runtime",
    title="FlashAttention 3 has no kernels for this GPU",
    signs=(
        Sign("FlashAttention only supports Hopper GPUs or newer", by="flash-attention hopper/flash_api.cpp"),
        Sign("Flash Attention 3 requires compute capability", by="transformers/modeling_utils.py"),
        Sign("FA3 is only supported on devices with compute capability", by="vllm_flash_attn/flash_attn_interface.py"),
        Sign("FA version 3 is not supported", by="vllm"),
        Sign("Cannot use FA version", r"Cannot use FA version [34]\b", by="vllm"),
        Sign("FA4 is only supported on devices with compute capability", by="vllm_flash_attn/flash_attn_interface.py"),
        Sign(
            "lash",
            (
                r"(?i)flash[ -]?att(?:ention|n)[ -]?(?:v?3|3\.0)\b[^\n]{0,60}(?:is |only |requires? "
                r"|supports? )+[^\n]{0,30}(?:hopper|h100|sm_?90|>= ?9)"
            ),
            SIGN,
            by="many programs",
        ),
        Sign("opper-only", by="users, model cards"),
        Sign("Unsupported compute capability. Supported: ", by="flash_attn/cute/interface.py (FA4)"),
        Sign(
            "Unsupported compute capability: ",
            r"Unsupported compute capability: \d+\. Supported",
            by="flash_attn/cute/interface.py (FA4)",
        ),
        Sign("only supports Hopper", strength=SIGN, by="forks"),
        Sign(
            "hopper/",
            r"hopper[/\\][\w./\\]+:\d+\): (?:invalid argument|invalid device function|named symbol not found)",
            by="hopper/utils.h: CHECK_CUDA",
        ),
        Sign(
            "only supported on Hopper",
            r"(?i)(?:fa3|flash|attention)[^\n]{0,80}only supported on hopper",
            SIGN,
            by="SGLang and others",
        ),
        Sign("requires SM>=80 and SM<=90", by="sglang: FlashAttention v3 Backend"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
