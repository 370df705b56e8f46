"""float32 (or mixed) tensors are passed to FlashAttention, which takes float16 and bfloat16.

The checks of flash-attn's C++ code in its series, of FA3 and FA4, of its Triton version, of SageAttention and
diffusers. Not to be taken for transformers' note at loading ("Flash Attention 2.0 only supports torch.float16 and
torch.bfloat16 dtypes, but the current dype in ..."), which stops nothing, nor for xFormers' list of operators.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _attention
from attn_doctor.explain.log import Log

RAISED = "transformers 4.36: modeling_utils.py raised what later releases only note"


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.by != RAISED and ("the current d" in match.line.text or "You passed torch" in match.line.text):
        return None  # transformers' note at loading
    if match.strength == SIGN and ("No operator found" in log.text or "No available kernel" in log.text):
        return None
    return match.strength


def explain(match: Match, _case: Case) -> str:
    if "same dtype" in match.line.text or "same type" in match.line.text or "same data type" in match.line.text:
        return (
            "Query, key and value reach FlashAttention in different dtypes: often float32 from a layer norm or "
            "from rotary embeddings."
        )
    return (
        "FlashAttention computes in float16 and bfloat16 only, and float32 arrives: the model was loaded in "
        "float32, or a layer "
        "(a norm, LoRA, rotary embeddings) turned the tensors back. Nothing is wrong with the installation."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    if case.log.matches(r"(?i)\bvllm\b"):
        yield "vLLM: --dtype bfloat16   (half before Ampere)"
    elif case.log.matches(_attention.TRANSFORMERS):
        yield (
            "load it so: from_pretrained(..., dtype=torch.bfloat16)   (torch_dtype in older transformers; "
            "float16 before Ampere)"
        )
        yield "training: bf16=True in TrainingArguments, or with torch.autocast('cuda', dtype=torch.bfloat16):"
    else:
        yield (
            "with torch.autocast('cuda', dtype=torch.bfloat16): around the call, or q, k, v = "
            "(x.to(torch.bfloat16) for x in (q, k, v))"
        )
    yield "float32 itself is wanted: " + next(_attention.sdpa(case))


CAUSE = Cause(
    category="dtype-unsupported-fp32",
    stage="runtime",
    title="FlashAttention is given float32",
    signs=(
        Sign("FlashAttention only support fp16 and bf16 data type", by="flash-attention csrc/flash_attn/flash_api.cpp"),
        Sign(
            "FlashAttention only support",
            r"FlashAttention only supports? (?:fp16|half|float16|bf16)",
            by="flash_api.cpp, its forks, FA3",
        ),
        Sign("You passed torch.", r"ValueError: Flash Attention 2\.0 only supports torch\.float16", by=RAISED),
        Sign("Only support fp16 and bf16", by="flash_attn/flash_attn_triton.py"),
        Sign("kFloat16", r"Expected q_dtype == torch::kFloat16 ", by="flash-attn 1.x: fmha_api.cpp"),
        Sign(
            "dtype in [torch.float16, torch.bfloat16]",
            r"^\s*assert ",
            by="flash-attn modules: the line of the traceback",
        ),
        Sign("inputs must be float16 or bfloat16", by="flash_attn/cute/interface.py"),
        Sign("Only Float16 or BFloat16 is supported", by="flash_attn/cute, kernels"),
        Sign("Input tensors must be in dtype of torch.float16 or torch.bfloat16", by="sageattention/core.py"),
        Sign("must be in dtype of torch.float16", by="sageattention/core.py"),
        Sign("must be either bfloat16 or float16", by="diffusers, attention_dispatch.py"),
        Sign(
            "lash",
            (
                r"(?i)flash[ _-]?att(?:ention|n)[^\n]{0,60}(?:only|must)[^\n]{0,30}(?:fp16|bf16|float16"
                r"|half)[^\n]{0,80}(?:float32|fp32)\b"
            ),
            SIGN,
            by="models' own checks",
        ),
        Sign(
            "must have the same dtype",
            r"^(?:.*Error: )?(?:query|key) and (?:key|value|dout|out) must have the same dtype",
            by="flash_api.cpp",
        ),
        Sign("All tensors must have the same type", by="flash_attn/flash_attn_triton.py"),
        Sign("q, k, v must be fp16 or bf16", strength=SIGN, by="flash-linear-attention, forks"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
