"""The GPU is older than what the attention code, or torch itself, still serves.

FlashAttention 2 takes Ampere and newer. Here too: torch's refusal of a GPU whose code its wheels no longer carry
(Maxwell, Pascal and Volta since CUDA 13), for which the taxonomy has no category of its own; Triton's of Pascal;
bfloat16 before Ampere. Not to be taken for xFormers' lines on its FA3 operator (harmless), nor for a GPU that is too
new.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _attention, _gpus
from attn_doctor.explain.log import Log
from attn_doctor.knowledge.attention import demands

NO_CODE = (
    "no kernel image is available",
    "is not compatible with the current PyTorch",
    "which is of compute capability (CC)",
)
BF16 = ("bfloat16", "Bfloat16", "bf16")


def weigh(match: Match, log: Log) -> Strength | None:
    gpu = _gpus.seen(log)
    if match.sign.literal in NO_CODE:
        return PROOF if gpu is not None and gpu.kind == "old" else None
    if "No available kernel" in log.text or "No operator found" in log.text:
        return None  # one of several reasons: sdpa-no-available-kernel, xformers-no-operator
    if match.strength == SIGN and gpu is not None and gpu.kind in ("blackwell", "jetson"):
        return None
    return match.strength


def explain(match: Match, case: Case) -> str:
    who = _gpus.named(case.log)
    if match.sign.literal in NO_CODE:
        return (
            f"The installed torch, or the extension, has no code for {who}: newer builds have dropped GPUs "
            "of that age. "
            "An older build still has it. (It is the same message that a too new GPU gives.)"
        )
    if any(word in match.line.text for word in BF16):
        least = demands("flash_attention_2").dtypes["bf16"]
        return f"bfloat16 attention needs compute capability {least} (Ampere); {who} is older. float16 works on it."
    if "triton" in match.line.text:
        return (
            f"torch.compile's GPU code comes from Triton, which needs {demands('triton').min_capability}; {who} "
            "is older."
        )
    needs = demands("flash_attention_2").min_capability
    return (
        f"FlashAttention 2 needs compute capability {needs} (Ampere, RTX 30, A100) or newer, and {who} is older. "
        "No version and no build of flash-attn 2 changes that."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    if match.sign.literal in NO_CODE:
        yield from _gpus.torch_with_code(case)
        if _gpus.extension_of(case.log):
            yield from _gpus.compile_for(case)
        yield from _attention.sdpa(case)
        return
    if any(word in match.line.text for word in BF16):
        yield "dtype float16 instead of bfloat16   (vLLM: --dtype half; transformers: dtype=torch.float16)"
        return
    if "triton" in match.line.text:
        yield 'without torch.compile: TORCHDYNAMO_DISABLE=1 in the environment, or torch.compile(..., backend="eager")'
        return
    yield from _attention.sdpa(case)
    yield from _attention.planned(case, "xformers", "it serves this GPU")
    yield "attn-doctor backends   (which of them run on this GPU)"
    if (gpu := _gpus.seen(case.log)) and gpu.on == demands("flash_attention_1").min_capability:
        yield (
            "Turing: the 1.x series of flash-attn still ran on it; its calls have other names "
            "(flash_attn_unpadded_func)"
        )


CAUSE = Cause(
    category="gpu-too-old-for-fa2",
    stage="runtime",
    title="The GPU is too old for what is run on it",
    signs=(
        Sign("FlashAttention only supports Ampere GPUs or newer", by="flash-attention csrc/flash_attn/flash_api.cpp"),
        Sign("FlashAttention only supports Turing GPUs or newer", by="flash_api.cpp, releases before 2.0"),
        Sign("lashAttention", r"[Ff]lashAttention[\w -]{0,20} only supports? (?:Ampere|A100|sm80)", by="copies of it"),
        Sign(
            "to be true, but got false",
            r"is_sm8x \|\| is_sm75|is_sm75 \|\| is_sm8x|is_sm90 \|\| is_sm8x",
            by="flash-attn 1.x: fmha_api.cpp",
        ),
        Sign("FA2 is only supported on devices with compute capability", by="vllm_flash_attn/flash_attn_interface.py"),
        Sign("CUDA device with compute capability >= ", by="diffusers, attention_dispatch.py"),
        Sign("bfloat16 is only supported on Ampere GPUs or newer", by="flash_api.cpp"),
        Sign(
            "float16 is only supported on GPUs with compute capability of at least",
            by="vllm/worker: check_if_supports_dtype",
        ),
        Sign("bf16 is only supported on A100+ GPUs", strength=SIGN, by="xformers/ops/fmha/common.py"),
        Sign("too old to be supported by the triton GPU compiler", by="torch/_inductor/exc.py: GPUTooOldForTriton"),
        Sign(
            "Unsupported CUDA architecture: sm",
            r"Unsupported CUDA architecture: sm[5-7]\d\b",
            by="sageattention/core.py",
        ),
        Sign(
            "FlashAttention-2 backend for Volta and Turing",
            r"(?i)(?:error|raise|cannot be used)",
            SIGN,
            by="vllm: only where it is an error",
        ),
        Sign("compute capability not supported", strength=SIGN, by="vllm: backend not valid for this configuration"),
        Sign("doesn't support compute capability", strength=SIGN, by="vllm"),
        *(Sign(text, strength=SIGN, by="torch, with an old GPU in the log") for text in NO_CODE),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("no-kernel-image-blackwell", "sdpa-no-available-kernel", "xformers-no-operator"),
)
