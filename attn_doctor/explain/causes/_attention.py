"""What causes of attention calls share: the ways that are open instead, and the frames of a call."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case

SDPA = 'attn_implementation="sdpa" instead   (it is part of torch, takes every GPU and every head dimension)'
TRANSFORMERS = r"(?i)transformers|from_pretrained|attn_implementation|diffusers|modeling_"


def sdpa(case: Case) -> Iterator[str]:
    """SDPA, in the words of what was called."""
    if case.log.matches(r"(?i)\bvllm\b"):
        yield (
            "vLLM: --attention-backend TRITON_ATTN, or FLEX_ATTENTION   (older: VLLM_ATTENTION_BACKEND in the "
            "environment)"
        )
    elif case.log.matches(TRANSFORMERS):
        yield SDPA
    else:
        yield (
            "torch.nn.functional.scaled_dot_product_attention instead   (it is part of torch and picks what the "
            "GPU can)"
        )


def planned(case: Case, backend: str, why: str = "") -> Iterator[str]:
    """The plan for a backend on the machine of the log, where there is one."""
    one = case.planned(backend)
    if one is not None:
        yield f"attn-doctor install {backend}   ({one.title}{f'; {why}' if why else ''})"
