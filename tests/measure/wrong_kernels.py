"""Kernels that are wrong in ways that real ones have been, one that is right, and one that never answers."""

import math
import os
import time

import torch  # noqa: TID253 - it runs in the target

KEPT = {}


def scores(q, k, causal, mask, scale=None, shift=0):
    found = q.float() @ k.float().transpose(-1, -2) * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if causal:
        seen = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril(
            k.shape[-2] - q.shape[-2] + shift
        )
        found = found.masked_fill(~seen, -math.inf)
    return found if mask is None else found + mask.float()


def right(q, k, v, causal, mask):
    return (scores(q, k, causal, mask).softmax(-1) @ v.float()).to(q.dtype)


def shifted_mask(q, k, v, causal, mask):
    return (scores(q, k, causal, mask, shift=1).softmax(-1) @ v.float()).to(q.dtype)


def missing_scale(q, k, v, causal, mask):
    return (scores(q, k, causal, mask, scale=1.0).softmax(-1) @ v.float()).to(q.dtype)


def wrong_head(q, k, v, causal, mask):
    found = scores(q, k, causal, mask)
    weights = found.softmax(-1)
    weights = torch.cat([weights[:, :-1], (found[:, -1:] * 1.05).softmax(-1)], dim=1)
    return (weights @ v.float()).to(q.dtype)


def stale(q, k, v, causal, mask):
    """Leaves the last row of its result as the memory was."""
    made = (scores(q, k, causal, mask).softmax(-1) @ v.float()).to(q.dtype)
    keep = torch.ones_like(made)
    keep[..., -1, :] = 0
    return made * keep + torch.empty_like(made).detach() * (1 - keep)


def bf16_accumulation(q, k, v, causal, mask):
    weights = scores(q, k, causal, mask).softmax(-1).to(torch.bfloat16)
    out = torch.zeros_like(q, dtype=torch.bfloat16)
    for place in range(k.shape[-2]):
        out = out + weights[..., place : place + 1] * v[..., place : place + 1, :].to(torch.bfloat16)
    return out.to(q.dtype)


def nan_result(q, k, v, causal, mask):
    made = right(q, k, v, causal, mask)
    return torch.where(torch.arange(made.shape[-1], device=q.device) == 3, torch.nan, made)


def wrong_shape(q, k, v, causal, mask):
    return right(q, k, v, causal, mask).transpose(1, 2)


def wrong_gradient(q, k, v, causal, mask):
    return right(q, k.detach() * 0.5 + k * 0.5, v, causal, mask)


def crash(q, k, v, causal, mask):
    os.abort()


def hang(q, k, v, causal, mask):
    time.sleep(3600)


def no_memory(q, k, v, causal, mask):
    raise MemoryError


def only_half(q, k, v, causal, mask):
    if q.dtype == torch.float32:
        raise RuntimeError("FlashAttention only support fp16 and bf16 data type")
    return right(q, k, v, causal, mask)


def no_gradient(q, k, v, causal, mask):
    with torch.no_grad():
        return right(q, k, v, causal, mask)


def takes_nothing(q, k, v, causal, mask):
    raise RuntimeError("FlashAttention only supports Ampere GPUs or newer.")


def slip(q, k, v, causal, mask):
    return q[99]


def spoils(q, k, v, causal, mask):
    raise RuntimeError("CUDA error: an illegal memory access was encountered")
