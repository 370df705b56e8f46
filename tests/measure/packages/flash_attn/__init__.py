"""Stands for flash-attn where its kernels cannot run: TEST_FLASH_ATTN says how badly it behaves, in one word for all
batches, or in one for each: "refuse,nan" refuses a batch of one.

Layout (batch, sequence, heads, head_dim), as in the package itself.
"""

from __future__ import annotations

import os
import time


def flash_attn_func(q, k, v, causal=False, **_options):
    """Right, or as bad as it is told to be: crash, hang, refuse, slow, nan, wrong."""
    import torch.nn.functional as F  # noqa: N812

    told = os.environ.get("TEST_FLASH_ATTN", "").split(",")
    how = told[min(q.shape[0], len(told)) - 1]
    if how == "crash":
        os.abort()
    if how == "hang":
        time.sleep(3600)
    if how == "refuse":
        raise RuntimeError("FlashAttention only support fp16 and bf16 data type")
    if how == "nan":
        return q * float("nan")
    if how == "wrong":
        return v * 1.0
    if how == "slow":
        time.sleep(0.05)
    turned = [one.transpose(1, 2) for one in (q, k, v)]
    return F.scaled_dot_product_attention(*turned, is_causal=causal).transpose(1, 2).contiguous()
