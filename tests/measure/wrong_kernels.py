"""Kernels that are wrong in ways that real ones have been, one that is right, and one that never answers."""

import math
import os
import resource
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


class Backward(torch.autograd.Function):
    """Right forward; what backward gives is spoilt by a function of the three gradients."""

    @staticmethod
    def forward(ctx, q, k, v, causal, mask, spoil):
        ctx.save_for_backward(q, k, v)
        ctx.rest = causal, mask, spoil
        return right(q, k, v, causal, mask)

    @staticmethod
    def backward(ctx, grad):
        causal, mask, spoil = ctx.rest
        fresh = torch.empty_like(ctx.saved_tensors[2])
        with torch.enable_grad():
            leaves = [one.detach().requires_grad_() for one in ctx.saved_tensors]
            out = right(*leaves, causal, mask)
        gradients = torch.autograd.grad(out, leaves, grad)
        if spoil is unwritten:
            return (*spoil(*gradients, fresh), None, None, None)
        return (*spoil(*gradients), None, None, None)


def backward_of(spoil):
    def kernel(q, k, v, causal, mask):
        return Backward.apply(q, k, v, causal, mask, spoil)

    return kernel


def one_head(dq, dk, dv):
    """The last head of one gradient is a twentieth too large."""
    factor = torch.ones_like(dk)
    factor[:, -1] = 1.05
    return dq, dk * factor, dv


def unwritten(dq, dk, dv, fresh):
    """The last row of one gradient is what was in memory."""
    fresh[..., :-1, :] = dv[..., :-1, :]
    return dq, dk, fresh


def bf16_sums(dq, dk, dv):
    """Rounded after each of 32 additions."""
    parts = [dv.to(torch.bfloat16) / 32] * 32
    total = torch.zeros_like(parts[0])
    for part in parts:
        total = total + part
    return dq, dk, total.to(dv.dtype)


def ending(*_):
    os.abort()


def endless(*_):
    time.sleep(3600)


backward_unscaled = backward_of(lambda dq, dk, dv: (dq * 8, dk * 8, dv))
backward_shifted = backward_of(lambda dq, dk, dv: (dq.roll(1, dims=-2), dk, dv))
backward_one_head = backward_of(one_head)
backward_stale = backward_of(unwritten)
backward_bf16_sums = backward_of(bf16_sums)
backward_nan = backward_of(lambda dq, dk, dv: (dq, dk, dv.masked_fill(dv == dv.max(), math.nan)))
backward_none = backward_of(lambda dq, dk, dv: (dq, None, dv))
backward_crash = backward_of(ending)
backward_hang = backward_of(endless)


def packed(mask):
    """Whether it is the mask of sequences that are packed: nothing of a later one is seen by the first."""
    return mask is not None and bool((mask[0, 0, 0, mask.shape[-1] // 2 :] == -math.inf).all())


def looks_over_the_edge(q, k, v, causal, mask):
    """Where sequences are packed, each sees one key of the one before."""
    if packed(mask):
        mask = torch.maximum(mask, mask.roll(-1, dims=-1).masked_fill(torch.arange(mask.shape[-1]) == 0, -math.inf))
    return right(q, k, v, causal, mask)


def forgets_the_last(q, k, v, causal, mask):
    """Where sequences are packed, the last one is left as the memory was."""
    if not packed(mask):
        return right(q, k, v, causal, mask)
    made = torch.empty_like(q)
    made[..., : -q.shape[-2] // 4, :] = right(q, k, v, causal, mask)[..., : -q.shape[-2] // 4, :]
    return made


def packed_backward_leaks(q, k, v, causal, mask):
    """Right forward; where sequences are packed, the gradient of the keys is that of the neighbour."""
    return Backward.apply(
        q, k, v, causal, mask, (lambda dq, dk, dv: (dq, dk.roll(5, dims=-2), dv)) if packed(mask) else tuple_of
    )


def tuple_of(*gradients):
    return gradients


def wrong_gradient(q, k, v, causal, mask):
    return right(q, k.detach() * 0.5 + k * 0.5, v, causal, mask)


def crash(q, k, v, causal, mask):
    os.abort()


def hang(q, k, v, causal, mask):
    time.sleep(3600)


def no_memory(q, k, v, causal, mask):
    raise MemoryError


def takes_all(q, k, v, causal, mask):
    """Asks for more than this process may have: a limit stands in for a machine without memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 28), before[1]))
    try:
        return torch.empty(1 << 30, dtype=torch.float32)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def changes_inputs(q, k, v, causal, mask):
    found = right(q, k, v, causal, mask)
    with torch.no_grad():
        k -= k.mean(dim=-2, keepdim=True)
    return found


def only_half(q, k, v, causal, mask):
    if q.dtype == torch.float32:
        raise RuntimeError("FlashAttention only support fp16 and bf16 data type")
    return right(q, k, v, causal, mask)


def compiler_refuses(q, k, v, causal, mask):
    """As FlexAttention on a GPU: what its lowering does not take comes wrapped by torch.compile."""

    def backend(_graph, _inputs):
        raise NotImplementedError("NYI: embedding dimension of the query, key, and value must be at least 16")

    attention = torch.compile(right, backend=backend) if q.dtype == torch.float32 else right
    return attention(q, k, v, causal, mask)


def no_gradient(q, k, v, causal, mask):
    with torch.no_grad():
        return right(q, k, v, causal, mask)


def takes_nothing(q, k, v, causal, mask):
    raise RuntimeError("FlashAttention only supports Ampere GPUs or newer.")


def slip(q, k, v, causal, mask):
    return q[99]


def in_tf32(q, k, v, causal, mask):
    if torch.get_float32_matmul_precision() != "highest":
        raise ValueError("fp32 is not what is computed in")
    return right(q, k, v, causal, mask)


def spoils(q, k, v, causal, mask):
    raise RuntimeError("CUDA error: an illegal memory access was encountered")
