"""xFormers: a function in place of a setting, with sdpa where it does not run."""

from __future__ import annotations

from attn_doctor.snippets._snippet import Case, Draft, Maker

XFORMERS = '''
import torch
import xformers.ops as xops


def attention(query, key, value, causal=False, dropout=0.0):
    """(batch, length, heads, head_dim) in and out."""
    bias = xops.LowerTriangularMask() if causal else None
    return xops.memory_efficient_attention(
        query, key, value, attn_bias=bias, p=dropout
    )
'''
SDPA = '''
import torch
import torch.nn.functional as F


def attention(query, key, value, causal=False, dropout=0.0):
    """(batch, length, heads, head_dim) in and out, as xFormers has it."""
    q, k, v = (one.transpose(1, 2) for one in (query, key, value))
    out = F.scaled_dot_product_attention(
        q, k, v, dropout_p=dropout, is_causal=causal
    )
    return out.transpose(1, 2)
'''
CHECK = """
# it is right: beside the definition, in float32
shape = {{"size": (2, 128, 4, 64), "device": "{device}", "dtype": {dtype}}}
q, k, v = (torch.randn(**shape) for _ in range(3))
taken = attention(q, k, v, causal=True).float()
scores = torch.einsum("bqhd,bkhd->bhqk", q.float(), k.float()) / 64**0.5
later = torch.ones(128, 128, dtype=torch.bool, device=q.device).triu(1)
weights = scores.masked_fill(later, float("-inf")).softmax(-1)
true = torch.einsum("bhqk,bkhd->bqhd", weights, v.float())
off = (taken - true).abs().max().item()
assert off < {tolerance}, off
print(f"attention: {name}, off by {{off:.1e}}")
"""


def make(case: Case) -> Draft:
    runs = case.backend == "xformers"
    dtype = case.dtype or "torch.float32"
    check = CHECK.format(
        device=case.device,
        dtype=dtype,
        tolerance="1e-4" if dtype == "torch.float32" else "2e-2",
        name="xformers" if runs else "sdpa",
    )
    instead = () if runs else ("The same function by sdpa, in the same layout: for when xformers is there.",)
    return Draft(
        language="python",
        code=XFORMERS if runs else SDPA,
        check=check,
        notes=instead,
        backend="xformers" if runs else "sdpa" if case.machine.torch else None,
    )


MAKER = Maker(framework="xformers", make=make, chain=("xformers",))
