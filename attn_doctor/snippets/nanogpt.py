"""A training script in the manner of nanoGPT: attention_backend, falling back where one does not run."""

from __future__ import annotations

from attn_doctor.snippets._python import literal, of_table
from attn_doctor.snippets._snippet import Case, Draft, Maker

CODE = '''
import math
import sys

import torch
import torch.nn.functional as F

attention_backend = {word}  # of {accepted}


def usable(backend):
    """Why a backend does not run here; None where it does."""
    if backend == "flash_attn_2":
        if not torch.cuda.is_available():
            return "it needs a GPU that torch can use"
        if torch.cuda.get_device_capability() < {floor}:
            return "it needs compute capability {capability} or later"
        try:
            import flash_attn  # noqa: F401
        except ImportError as error:
            return f"flash_attn: {{error}}"
    if backend == "sdpa" and not hasattr(F, "scaled_dot_product_attention"):
        return f"torch {{torch.__version__}} is older than {first_torch}"
    return None


order = {order}
for attention_backend in order[order.index(attention_backend) :]:
    why = usable(attention_backend)
    if why is None:
        break
    print(f"WARNING: no {{attention_backend}}: {{why}}", file=sys.stderr)


def attention(q, k, v, dropout=0.0, training=True):
    """Causal; (batch, heads, length, head_dim) in and out, as in nanoGPT."""
    dropout = dropout if training else 0.0
    if attention_backend == "flash_attn_2":  # fp16 and bf16 alone
        from flash_attn import flash_attn_func

        q, k, v = (one.transpose(1, 2) for one in (q, k, v))
        out = flash_attn_func(q, k, v, dropout_p=dropout, causal=True)
        return out.transpose(1, 2)
    if attention_backend == "sdpa":
        return F.scaled_dot_product_attention(
            q, k, v, dropout_p=dropout, is_causal=True
        )
    length = q.size(-2)
    later = torch.ones(length, length, device=q.device).triu(1).bool()
    scores = (q @ k.transpose(-2, -1)) / math.sqrt(q.size(-1))
    weights = F.softmax(scores.masked_fill(later, float("-inf")), dim=-1)
    return F.dropout(weights, dropout) @ v
'''
CHECK = """
# it took effect, and it is right: beside the definition, in float32
shape = {{"size": (2, 4, 128, 64), "device": "{device}", "dtype": {dtype}}}
q, k, v = (torch.randn(**shape) for _ in range(3))
taken, chosen = attention(q, k, v).float(), attention_backend
attention_backend = "manual"
true = attention(q.float(), k.float(), v.float())
attention_backend = chosen
off = (taken - true).abs().max().item()
assert off < {tolerance}, off
print(f"Attention backend: {{attention_backend}}, off by {{off:.1e}}")
"""


def make(case: Case) -> Draft:
    dtype = case.dtype or "torch.float32"
    code = CODE.format(
        word=literal(case.word or "manual"),
        accepted=", ".join(case.row.accepted),
        order=literal(case.row.accepted),
        **of_table(),
    )
    tolerance = "1e-4" if dtype == "torch.float32" else "2e-2"
    return Draft(language="python", code=code, check=CHECK.format(device=case.device, dtype=dtype, tolerance=tolerance))


MAKER = Maker(framework="nanogpt", make=make)
