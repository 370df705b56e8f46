"""Every attention backend behind one call, and the reference that all of them are held against.

Runs in the target's interpreter and imports nothing but torch and the package that is examined.

Shapes: q is (batch, heads, queries, head_dim); k and v are (batch, kv_heads, keys, head_dim), where heads is a multiple of
kv_heads. The result has the shape of q. `mask` is None, a bool tensor (True: attend) or a float tensor that is added, each
broadcastable to (batch, heads, queries, keys). `window` is how many keys before its own a query sees, None for all.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "fp64": torch.float64}


class Refused(Exception):
    """The backend does not take this case, and says so: that is no error of it."""


# what is asked


def inputs(case: dict, device: str) -> tuple:
    """q, k, v of a case: standard normal, from the seed alone, already rounded to the dtype."""
    generator = torch.Generator().manual_seed(int(case["seed"]))
    batch, heads, kv_heads, dim = case["batch"], case["heads"], case["kv_heads"], case["head_dim"]
    shapes = ((batch, heads, case["queries"], dim), *[(batch, kv_heads, case["keys"], dim)] * 2)
    made = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return tuple(one.to(DTYPES[case["dtype"]]).to(device) for one in made)


def bias(case: dict, device: str) -> torch.Tensor | None:
    """What the case adds to the scores, in float64; -inf where nothing may be seen. None: nothing is added."""
    queries, keys = case["queries"], case["keys"]
    added = torch.zeros(1, 1, queries, keys, dtype=torch.float64)
    row = torch.arange(queries).view(-1, 1) + (keys - queries)  # the last query sees the last key
    column = torch.arange(keys).view(1, -1)
    if case.get("causal"):
        added = added.masked_fill(column > row, -math.inf)
    if case.get("window") is not None:
        added = added.masked_fill(column < row - case["window"], -math.inf)
    if case.get("alibi"):
        slopes = alibi_slopes(case["heads"]).to(torch.float64).view(1, -1, 1, 1)
        added = added - slopes * (row - column).abs()
    if case.get("mask") == "padding":
        lengths = padding(case).view(-1, 1, 1, 1)
        added = added.masked_fill(column >= lengths, -math.inf)
    if case.get("mask") == "bias":
        generator = torch.Generator().manual_seed(int(case["seed"]) + 1)
        added = added + torch.randn(1, case["heads"], queries, keys, generator=generator, dtype=torch.float64)
    return None if not added.any() and not case.get("mask") else added.to(device)


def padding(case: dict) -> torch.Tensor:
    """How many keys of each sequence are real: all of the first, ever fewer of the others."""
    return torch.tensor([max(1, case["keys"] - 3 * place) for place in range(case["batch"])])


def alibi_slopes(heads: int) -> torch.Tensor:
    """2^(-8 i / heads) for the i-th head, as ALiBi has it for powers of two."""
    return torch.tensor([2.0 ** (-8.0 * (place + 1) / heads) for place in range(heads)], dtype=torch.float32)


# what is true


def reference(q, k, v, added) -> torch.Tensor:
    """In float64, with nothing clever in it."""
    q, k, v = q.double(), repeated(k.double(), q), repeated(v.double(), q)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if added is not None:
        scores = scores + added
    return torch.softmax(scores, dim=-1) @ v


def eager(q, k, v, added, dropout: float = 0.0) -> torch.Tensor:
    """As model code writes it: products in the dtype, the softmax in float32."""
    k, v = repeated(k, q), repeated(v, q)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if added is not None:
        scores = scores + added.to(scores.dtype)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype)
    return F.dropout(weights, dropout) @ v


def repeated(one, q):
    """Keys or values once for every head of the queries."""
    return one if one.shape[1] == q.shape[1] else one.repeat_interleave(q.shape[1] // one.shape[1], dim=1)


# who is asked


def run(subject: str, q, k, v, case: dict) -> torch.Tensor:
    """The result of a subject: 'eager', 'sdpa', 'sdpa.flash', 'flex_attention', 'flash_attention_2' and so on.

    Raises Refused where it does not take the case.
    """
    backend, _, kernel = subject.partition(".")
    if backend == "sdpa":
        return sdpa(q, k, v, case, kernel)
    return SUBJECTS[backend](q, k, v, case)


def run_eager(q, k, v, case):
    return eager(q, k, v, bias(case, q.device), case.get("dropout", 0.0))


KERNELS = {
    "flash": "FLASH_ATTENTION",
    "efficient": "EFFICIENT_ATTENTION",
    "cudnn": "CUDNN_ATTENTION",
    "math": "MATH",
}


def sdpa(q, k, v, case, kernel):
    """torch's own; with a kernel, that one and no other."""
    added = bias(case, q.device)
    plain_causal = case.get("causal") and not (case.get("mask") or case.get("alibi") or case.get("window") is not None)
    mask = None if added is None or (plain_causal and case["queries"] == case["keys"]) else added.to(q.dtype)
    options = {"dropout_p": case.get("dropout", 0.0), "is_causal": mask is None and bool(case.get("causal"))}
    if k.shape[1] != q.shape[1]:
        if takes_gqa():
            options["enable_gqa"] = True
        else:
            k, v = repeated(k, q), repeated(v, q)
    if not kernel:
        return F.scaled_dot_product_attention(q, k, v, mask, **options)
    try:
        with only(kernel):
            return F.scaled_dot_product_attention(q, k, v, mask, **options)
    except RuntimeError as error:
        if "backend" in str(error) or "No available kernel" in str(error):
            raise Refused(str(error).partition("\n")[0]) from error
        raise


def takes_gqa() -> bool:
    return "enable_gqa" in (F.scaled_dot_product_attention.__doc__ or "")


def only(kernel):
    """A context in which sdpa may take this kernel alone; torch before 2.3 has no such context but for CUDA."""
    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel
    except ImportError as error:
        raise Refused("this torch cannot be told which kernel to take") from error
    if not hasattr(SDPBackend, KERNELS[kernel]):
        raise Refused(f"this torch has no {kernel} kernel")
    return sdpa_kernel(getattr(SDPBackend, KERNELS[kernel]))


def flex(q, k, v, case):
    """FlexAttention as it stands, without torch.compile on a CPU."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    if case.get("dropout"):
        raise Refused("FlexAttention has no dropout")
    queries, keys = case["queries"], case["keys"]
    shift = keys - queries
    lengths = padding(case).to(q.device)
    slopes = alibi_slopes(case["heads"]).to(q.device)
    added = (
        bias({**case, "causal": False, "window": None, "alibi": False}, q.device)
        if case.get("mask") == "bias"
        else None
    )

    def visible(b, _h, row, column):
        seen = column <= row + shift if case.get("causal") else column >= 0
        if case.get("window") is not None:
            seen = seen & (column >= row + shift - case["window"])
        if case.get("mask") == "padding":
            seen = seen & (column < lengths[b])
        return seen

    def score(value, _b, h, row, column):
        if case.get("alibi"):
            value = value - slopes[h] * (row + shift - column).abs()
        if added is not None:
            value = value + added[0, h, row, column].to(value.dtype)
        return value

    masked = case.get("causal") or case.get("window") is not None or case.get("mask") == "padding"
    block = create_block_mask(visible, case["batch"], None, queries, keys, device=q.device) if masked else None
    scored = score if case.get("alibi") or added is not None else None
    call = torch.compile(flex_attention) if q.is_cuda else flex_attention
    return call(q, k, v, score_mod=scored, block_mask=block, enable_gqa=k.shape[1] != q.shape[1])


def flash_2(q, k, v, case):
    """flash-attn 2; its tensors are (batch, sequence, heads, head_dim)."""
    from flash_attn import flash_attn_func

    refuse_masks(case)
    options = {"dropout_p": case.get("dropout", 0.0), "causal": bool(case.get("causal"))}
    if case.get("window") is not None:
        options["window_size"] = (case["window"], 0 if case.get("causal") else -1)
    if case.get("alibi"):
        options["alibi_slopes"] = alibi_slopes(case["heads"]).to(q.device)
    return turned(flash_attn_func(turned(q), turned(k), turned(v), **options))


def flash_3(q, k, v, case):
    from flash_attn_interface import flash_attn_func

    refuse_masks(case, "dropout", "alibi")
    window = (case["window"], 0 if case.get("causal") else -1) if case.get("window") is not None else (-1, -1)
    found = flash_attn_func(turned(q), turned(k), turned(v), causal=bool(case.get("causal")), window_size=window)
    return turned(found[0] if isinstance(found, tuple) else found)


def flash_4(q, k, v, case):
    from flash_attn.cute import flash_attn_func

    refuse_masks(case, "dropout", "alibi")
    window = (case["window"], 0 if case.get("causal") else None) if case.get("window") is not None else (None, None)
    found = flash_attn_func(turned(q), turned(k), turned(v), causal=bool(case.get("causal")), window_size=window)
    return turned(found[0] if isinstance(found, tuple) else found)


def xformers(q, k, v, case):
    from xformers.ops import LowerTriangularMask, memory_efficient_attention

    refuse_masks(case, "alibi", "window")
    if case.get("causal") and case["queries"] != case["keys"]:
        raise Refused("its causal mask is for as many queries as keys")
    k, v = repeated(k, q), repeated(v, q)
    masked = LowerTriangularMask() if case.get("causal") else None
    found = memory_efficient_attention(turned(q), turned(k), turned(v), attn_bias=masked, p=case.get("dropout", 0.0))
    return turned(found)


def sage(q, k, v, case):
    from sageattention import sageattn

    refuse_masks(case, "dropout", "alibi", "window")
    return sageattn(q, k, v, tensor_layout="HND", is_causal=bool(case.get("causal")))


def refuse_masks(case, *more):
    for name in ("mask", *more):
        if case.get(name) not in (None, False, 0.0):
            raise Refused(f"it has no {name}")


def turned(one):
    """(batch, heads, sequence, head_dim) to (batch, sequence, heads, head_dim), and back."""
    return one.transpose(1, 2).contiguous()


SUBJECTS = {
    "eager": run_eager,
    "flex_attention": flex,
    "flash_attention_2": flash_2,
    "flash_attention_3": flash_3,
    "flash_attention_4": flash_4,
    "xformers": xformers,
    "sage_attention": sage,
}


def own(path: str, name: str):
    """A kernel of the user's: FILE.py and a function (q, k, v, *, causal, mask, scale)."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("kernel_under_test", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name)

    def call(q, k, v, case):
        if case.get("dropout"):
            raise Refused("dropout is not asked of a kernel of one's own")
        added = bias(case, q.device)
        plain_causal = case.get("causal") and not (
            case.get("mask") or case.get("alibi") or case.get("window") is not None
        )
        mask = None if added is None or plain_causal else added.to(q.dtype)
        return function(q, repeated(k, q), repeated(v, q), causal=bool(plain_causal), mask=mask)

    return call
