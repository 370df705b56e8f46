"""Every attention backend as the bench calls it: made ready once for a shape, then called on tensors in its own layout.

`CALLS` gives for a backend its layout, 'bhsd' (batch, heads, sequence, head_dim) or 'bshd', and a function (shape, device,
kernel, gradients) that answers the call (q, k, v) -> result in the same layout.
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import cache

import attn_doctor_kernels as kernels
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from attn_doctor_answers import Refused

__all__ = ["CALLS", "COMPILED", "Refused"]

COMPILED = ("flex_attention",)
RECOMPILES = 512  # torch gives up after 8 and runs the slow way without a word


def eager(shape: dict, device: str, _kernel: str, _gradients: bool):
    """As model code writes it: the mask is made once, the softmax is in float32."""
    hidden = None
    if shape["causal"]:
        length = shape["length"]
        hidden = torch.ones(length, length, dtype=torch.bool, device=device).triu(1)

    def call(q, k, v):
        k, v = kernels.repeated(k, q), kernels.repeated(v, q)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if hidden is not None:
            scores = scores.masked_fill(hidden, -math.inf)
        return torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype) @ v

    return call


def sdpa(shape: dict, _device: str, kernel: str, _gradients: bool):
    grouped = {"enable_gqa": True} if shape["kv_heads"] != shape["heads"] and kernels.takes_gqa() else {}

    def whole(q, k, v):
        if not grouped:
            k, v = kernels.repeated(k, q), kernels.repeated(v, q)
        return F.scaled_dot_product_attention(q, k, v, is_causal=bool(shape["causal"]), **grouped)

    if not kernel:
        return whole
    kernels.only(kernel)  # raises where this torch cannot be told

    def call(q, k, v):
        with kernels.only(kernel):
            return whole(q, k, v)

    return call


def flex(shape: dict, device: str, _kernel: str, gradients: bool):
    """Compiled, as it is meant to be used."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    if device == "cpu" and gradients:
        raise Refused("FlexAttention has no backward pass on a CPU")
    length = shape["length"]

    def visible(_b, _h, row, column):
        return column <= row

    mask = create_block_mask(visible, None, None, length, length, device=device) if shape["causal"] else None
    compiled = compiled_flex(flex_attention)
    grouped = shape["kv_heads"] != shape["heads"]
    return lambda q, k, v: compiled(q, k, v, block_mask=mask, enable_gqa=grouped)


@cache
def compiled_flex(function):
    """As people write it: torch decides by itself which sizes stay open.

    What backward is timed on is kept from call to call: its buffers are not to be given away.
    """
    with suppress(ImportError):
        from torch._functorch import config

        if hasattr(config, "donated_buffer"):  # torch 2.6 and newer
            config.donated_buffer = False
    settings = torch._dynamo.config  # noqa: SLF001 - where torch documents it
    for name in ("recompile_limit", "cache_size_limit", "accumulated_recompile_limit", "accumulated_cache_size_limit"):
        if hasattr(settings, name):
            setattr(settings, name, RECOMPILES)
    return torch.compile(function)


def flash_2(shape: dict, _device: str, _kernel: str, _gradients: bool):
    from flash_attn import flash_attn_func

    return lambda q, k, v: flash_attn_func(q, k, v, causal=bool(shape["causal"]))


def flash_3(shape: dict, _device: str, _kernel: str, _gradients: bool):
    from flash_attn_interface import flash_attn_func

    return lambda q, k, v: first(flash_attn_func(q, k, v, causal=bool(shape["causal"])))


def flash_4(shape: dict, _device: str, _kernel: str, _gradients: bool):
    from flash_attn.cute import flash_attn_func

    return lambda q, k, v: first(flash_attn_func(q, k, v, causal=bool(shape["causal"])))


def first(found):
    """Some releases give the log-sum-exp beside the result."""
    return found[0] if isinstance(found, tuple) else found


def xformers(shape: dict, _device: str, _kernel: str, _gradients: bool):
    from xformers.ops import LowerTriangularMask, memory_efficient_attention

    mask = LowerTriangularMask() if shape["causal"] else None
    groups = shape["heads"] // shape["kv_heads"]

    def call(q, k, v):
        if groups > 1:
            k, v = k.repeat_interleave(groups, dim=2), v.repeat_interleave(groups, dim=2)
        return memory_efficient_attention(q, k, v, attn_bias=mask)

    return call


def sage(shape: dict, _device: str, _kernel: str, gradients: bool):
    from sageattention import sageattn

    if gradients:
        raise Refused("SageAttention has no backward pass")
    return lambda q, k, v: sageattn(q, k, v, tensor_layout="HND", is_causal=bool(shape["causal"]))


CALLS = {
    "eager": ("bhsd", eager),
    "sdpa": ("bhsd", sdpa),
    "flex_attention": ("bhsd", flex),
    "flash_attention_2": ("bshd", flash_2),
    "flash_attention_3": ("bshd", flash_3),
    "flash_attention_4": ("bshd", flash_4),
    "xformers": ("bshd", xformers),
    "sage_attention": ("bhsd", sage),
}
