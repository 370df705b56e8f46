"""The head dimension is beyond what the attention kernel has.

The checks of flash-attn in its series, FA3 and FA4, SageAttention, vLLM, and of a single xFormers operator that was
asked for by name. Where xFormers lists all its operators, it is xformers-no-operator; where SDPA lists its kernels,
sdpa-no-available-kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _attention
from attn_doctor.explain.log import Log
from attn_doctor.knowledge.attention import demands

BACKWARD = r"backward[^\n]{0,60}(?:requires A100|head dim (?:> ?)?\d+)"


def weigh(match: Match, log: Log) -> Strength | None:
    if "No operator found" in log.text or "No available kernel" in log.text:
        return None
    return match.strength


def _wants_a100(match: Match) -> bool:
    """Whether it is the backward pass that asks for the shared memory of an A100 or H100."""
    return "requires A100" in match.line.text or "is_sm80" in match.line.text


def explain(match: Match, case: Case) -> str:
    if "multiple of 8" in match.line.text or "% 8" in match.line.text:
        return (
            "FlashAttention takes head dimensions that are a multiple of 8; the model's is not. Padding with "
            "zeros gives the same result."
        )
    if _wants_a100(match):
        return (
            "The backward pass of that head dimension needs more shared memory than this GPU has: upstream "
            "allows it on A100 and H100 only."
        )
    if "headdim" in match.line.text or case.package == "sageattention":
        return (
            f"SageAttention has kernels for few head dimensions, {demands('sage_attention').head_dim_max} at "
            "most; this model has another."
        )
    return (
        "The model's head dimension is beyond what this kernel was written for "
        f"({demands('flash_attention_2').head_dim_max} in "
        "FlashAttention 2). It is a property of the model: no build and no version of the package changes it."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    yield from _attention.sdpa(case)
    if "multiple of 8" in match.line.text or "% 8" in match.line.text:
        yield (
            "or pad: q, k, v = (torch.nn.functional.pad(x, (0, -x.shape[-1] % 8)) for x in (q, k, v)); "
            "softmax_scale of the true dimension"
        )
    if _wants_a100(match):
        yield (
            "or no dropout (attention_dropout=0.0): newer flash-attn then has that backward pass on every GPU "
            "since Ampere"
        )
    yield from _attention.planned(case, "xformers", "its cutlass kernels have no limit of that kind")


CAUSE = Cause(
    category="head-dim-unsupported",
    stage="runtime",
    title="The head dimension is beyond the kernel's limits",
    signs=(
        Sign("only supports head dimension at most", by="flash-attention csrc/flash_attn/flash_api.cpp"),
        Sign("only support head dimensions up to", by="flash_attn/flash_attn_triton.py"),
        Sign(
            "head dimension",
            r"(?i)flash\s?attention[^\n]{0,60}head dim(?:ension)?s?[^\n]{0,30}(?:at most|up to|<=|not supported)",
            by="flash-attn, its forks",
        ),
        Sign("backward for head dim", r"backward for head dim (?:> ?)?\d+[^\n]{0,80}requires A100", by="flash_api.cpp"),
        Sign(
            "to be true, but got false",
            r"Expected is_sm80(?: \|\| is_sm90)? to be true, but got false",
            by="flash-attn 1.x: fmha_api.cpp, mha_bwd with head_size > 64; torch 1.13 and 2.0, its copy",
        ),
        Sign("head_size should be a multiple of 8", by="flash_api.cpp"),
        Sign("must have a head_size that is a multiple of 8", by="flash_api.cpp"),
        Sign("does not support headdim", by="flash_api.cpp: builds with FLASHATTENTION_DISABLE_UNEVEN_K"),
        Sign(
            "This flash attention build",
            r"build only supports? h(?:ead)?_?dim|not compiled with (?:support for )?h(?:ead)?_?dim",
            by="flash-attention hopper",
        ),
        Sign("head_size % 8 == 0", r"Expected head_size % 8 == 0", by="flash-attn 1.x: fmha_api.cpp"),
        Sign(
            "head ",
            r"(?i)only supports? head[_ ]?(?:dim(?:ension)?s?|sizes?) \d",
            by="flash-attention hopper, early; forks",
        ),
        Sign("Only support head_dim ==", by="flash_attn/flash_blocksparse_attention.py"),
        Sign("(head_dim, head_dim_v)=", by="flash_attn/cute/interface.py"),
        Sign("eaddim should be in [", by="sageattention/core.py"),
        Sign("only support head_dim [", by="sageattention/core.py: varlen"),
        Sign("Unsupported head", r"Unsupported head_?(?: ?)(?:dim|size)", by="SageAttention 2 csrc, FlashInfer"),
        Sign("Head size ", r"Head size \d+ is not supported", by="vllm/attention"),
        Sign("head_size not supported", strength=SIGN, by="vllm: backend not valid for this configuration"),
        Sign(
            "query.shape[-1]",
            r"max\(query\.shape\[-1\] ?(?:!=|,) ?value\.shape\[-1\]\) > \d+",
            by="xformers/ops/fmha/common.py",
        ),
        Sign("Embed dim ", r"Embed dim \d+ not supported", by="xformers: triton_splitk"),
        Sign(
            "lash",
            (
                r"(?i)flash[ _-]?att\w*[^\n]{0,60}head[ _-]?dim\w*[^\n]{0,40}(?:not supported|unsupported|exceed"
                r"|larger|too large)"
            ),
            SIGN,
            by="models' own checks",
        ),
        Sign("NYI: ", r"NYI: (?:The )?(?:query |embedding |embed )", SIGN, by="torch flex_attention"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
