"""Under the name of flash-attn, and it only asks torch: what must not be taken for flash-attn."""

from itertools import pairwise

import torch  # noqa: TID253 - it runs in the target
import torch.nn.functional as F  # noqa: N812, TID253 - as everybody calls it

__version__ = "2.8.3"


def flash_attn_func(q, k, v, dropout_p=0.0, softmax_scale=None, causal=False, window_size=(-1, -1), alibi_slopes=None):
    q, k, v = (one.transpose(1, 2) for one in (q, k, v))
    k, v = (one.repeat_interleave(q.shape[1] // one.shape[1], dim=1) for one in (k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2)


def flash_attn_varlen_func(
    q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p=0.0, causal=False
):
    """By hand, one sequence after the other."""
    found = []
    for (a, b), (c, d) in zip(pairwise(cu_seqlens_q.tolist()), pairwise(cu_seqlens_k.tolist()), strict=True):
        scores = torch.einsum("qhd,khd->hqk", q[a:b].float(), k[c:d].float()) / q.shape[-1] ** 0.5
        if causal:
            seen = torch.ones(b - a, d - c, dtype=torch.bool).tril((d - c) - (b - a))
            scores = scores.masked_fill(~seen, float("-inf"))
        found.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), v[c:d].float()))
    return torch.cat(found).to(q.dtype)
