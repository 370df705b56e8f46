"""scaled_dot_product_attention was limited to some kernels, and each of them refuses these tensors.

Only where a program names the kernels (sdpa_kernel, torch.backends.cuda.sdp_kernel, enable_math_sdp(False)): else SDPA
falls back by itself. The warnings before the error say why each kernel refused; "1Torch was not compiled with flash
attention" without the error is harmless.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _gpus
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import sdpa

REASONS = {
    "the GPU is too old or too new for it": r"only supports (?:gpu architectures|sm)|Attempting to run on a sm",
    "the tensors are float32": r"Expected query, key and value to all be of dtype|Got Query dtype: float\b",
    "the head dimension is too large or uneven": r"last dimension of inputs to be|same last dimension|head_dim",
    "an attention mask is given": r"does not support (?:non-null|attn_mask)|non-null attn_mask",
    "this torch was built without it": r"was not compiled with (?:flash|memory efficient)",
    "the tensors are not 4-dimensional": r"to be 4 dimensional|Both fused kernels",
    "it was switched off": r"has been runtime disabled",
}


def weigh(match: Match, log: Log) -> Strength | None:
    if match.strength == PROOF:
        return PROOF
    return SIGN if not log.has("CUDA error", "out of memory") else None


def why(log: Log) -> list[str]:
    """The reasons that the warnings give."""
    return [reason for reason, pattern in REASONS.items() if log.matches(pattern)]


def explain(_match: Match, case: Case) -> str:
    reasons = why(case.log)
    listed = (
        f" Of the reasons the log gives: {'; '.join(reasons)}."
        if reasons
        else " The warnings before it say why, kernel by kernel."
    )
    return (
        f"SDPA was allowed only some of its kernels here, and none of them takes these tensors.{listed} "
        "Nothing is wrong with the installation."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    log = case.log
    yield (
        "allow the math kernel as the last resort: with torch.nn.attention.sdpa_kernel("
        "[SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]):"
    )
    if log.matches(REASONS["the tensors are float32"]):
        yield "or pass float16 or bfloat16: q.to(torch.bfloat16), or torch.autocast('cuda', dtype=torch.bfloat16)"
    if (
        log.matches(r"only supports gpu architectures|Attempting to run on a sm")
        and case.machine
        and case.machine.torch
    ):
        row = sdpa.release(case.machine.torch.version) if hasattr(sdpa, "release") else None
        if row is None:
            yield from _gpus.torch_with_code(case)
    if log.matches(REASONS["an attention mask is given"]):
        yield "or is_causal=True instead of a mask: the flash kernel takes that"
    if log.has("cudnn", "cuDNN"):
        yield "or without cuDNN's kernel: torch.backends.cuda.enable_cudnn_sdp(False)"


CAUSE = Cause(
    category="sdpa-no-available-kernel",
    stage="runtime",
    title="Every kernel that SDPA was allowed refused the tensors",
    signs=(
        Sign(
            "No available kernel",
            r"No available kernel\.? {0,2}(?:Aborting execution)?",
            by="aten/src/ATen/native/transformers/cuda/sdp_utils.cpp",
        ),
        Sign("No viable backend for scaled_dot_product_attention was found", by="aten, attention.cpp"),
        Sign("No execution plans support the graph", by="cuDNN frontend, called by SDPA"),
        Sign("No valid execution plans built", by="cuDNN frontend, called by SDPA"),
        Sign("No valid engine configs for", strength=SIGN, by="cuDNN frontend"),
        Sign("lash attention kernel not used because", strength=SIGN, by="sdp_utils.cpp"),
        Sign("emory efficient kernel not used because", strength=SIGN, by="sdp_utils.cpp"),
        Sign("cuDNN attention kernel not used because", strength=SIGN, by="sdp_utils.cpp"),
        Sign("CuDNN attention kernel not used because", strength=SIGN, by="sdp_utils.cpp, 2.4 and older"),
        Sign("Attempting to run on a sm", strength=SIGN, by="sdp_utils.cpp, check_sm_version"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
