"""Every attention backend behind one call, and the reference that all of them are held against.

Runs in the target's interpreter and imports nothing but torch and the package that is examined.

Shapes: q is (batch, heads, queries, head_dim); k and v are (batch, kv_heads, keys, head_dim), where heads is a multiple of
kv_heads. The result has the shape of q. `mask` is None, a bool tensor (True: attend) or a float tensor that is added, each
broadcastable to (batch, heads, queries, keys). `window` is how many keys before its own a query sees, None for all.

Sequences of different lengths are packed one after the other in a batch of one: `lengths` are their queries, `key_lengths`
their keys, where those are others; `queries` and `keys` are the sums.
"""

from __future__ import annotations

import inspect
import math
import re
from contextlib import contextmanager, nullcontext

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from attn_doctor_answers import NONE_TAKES, Refused

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "fp64": torch.float64}


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
    if case.get("lengths"):
        return packed_bias(case, device)
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


def packed_bias(case: dict, device: str) -> torch.Tensor:
    """No sequence sees another; each has the mask that it has by itself."""
    added = torch.full((1, case["heads"], case["queries"], case["keys"]), -math.inf, dtype=torch.float64)
    for (queries, keys), alone in zip(spans(case), apart(case)):
        own = bias(alone, "cpu")
        added[:, :, queries, keys] = 0.0 if own is None else own
    return added.to(device)


def apart(case: dict) -> list[dict]:
    """The packed sequences as cases of their own."""
    pairs = zip(case["lengths"], key_lengths(case))
    return [{**case, "lengths": None, "key_lengths": None, "queries": n, "keys": m} for n, m in pairs]


def spans(case: dict) -> list[tuple[slice, slice]]:
    """Where the queries and the keys of each packed sequence lie; one of all where nothing is packed."""
    if not case.get("lengths"):
        return [(slice(None), slice(None))]
    found, row, column = [], 0, 0
    for queries, keys in zip(case["lengths"], key_lengths(case)):
        found.append((slice(row, row + queries), slice(column, column + keys)))
        row, column = row + queries, column + keys
    return found


def key_lengths(case: dict) -> list[int]:
    return case.get("key_lengths") or case["lengths"]


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


def true(q, k, v, case) -> torch.Tensor:
    """The reference of a case; of packed sequences each by itself, so that it knows nothing of packing."""
    if not case.get("lengths"):
        return reference(q, k, v, bias(case, q.device))
    cut = (
        reference(q[:, :, rows], k[:, :, columns], v[:, :, columns], bias(alone, q.device))
        for (rows, columns), alone in zip(spans(case), apart(case))
    )
    return torch.cat(list(cut), dim=2)


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
    call = nested_sdpa if case.get("lengths") else dense_sdpa
    with only(kernel) if kernel else nullcontext():
        try:
            return call(q, k, v, case)
        except RuntimeError as error:
            if NONE_TAKES.search(str(error)):
                raise Refused(str(error).partition("\n")[0]) from error
            raise


def dense_sdpa(q, k, v, case):
    added = bias(case, q.device)
    plain_causal = case.get("causal") and not (case.get("mask") or case.get("alibi") or case.get("window") is not None)
    mask = None if added is None or (plain_causal and case["queries"] == case["keys"]) else added.to(q.dtype)
    options = {"dropout_p": case.get("dropout", 0.0), "is_causal": mask is None and bool(case.get("causal"))}
    if k.shape[1] != q.shape[1]:
        if takes_gqa():
            options["enable_gqa"] = True
        else:
            k, v = repeated(k, q), repeated(v, q)
    return F.scaled_dot_product_attention(q, k, v, mask, **options)


def nested_sdpa(q, k, v, case):
    """Packed sequences as nested tensors, which is how sdpa takes them without a mask."""
    if not hasattr(torch.nested, "nested_tensor_from_jagged"):
        raise Refused("this torch has no jagged nested tensors")
    refuse_masks(case, "alibi", "window", who="sdpa on nested tensors")
    if case.get("causal") and apart_in_length(case):
        raise Refused("is_causal counts from the first key, not from the last")
    k, v = repeated(k, q), repeated(v, q)
    rows, columns = (starts(one, q.device, torch.int64) for one in (case["lengths"], key_lengths(case)))
    jagged = [
        torch.nested.nested_tensor_from_jagged(flat(one), at).transpose(1, 2)
        for one, at in ((q, rows), (k, columns), (v, columns))
    ]
    options = {"dropout_p": case.get("dropout", 0.0), "is_causal": bool(case.get("causal"))}
    return unflat(F.scaled_dot_product_attention(*jagged, **options).transpose(1, 2).values())


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
    rows, columns, row_of, column_of = (one.to(q.device) for one in places(case))
    lengths = padding(case).to(q.device)
    slopes = alibi_slopes(case["heads"]).to(q.device)
    only_bias = {**case, "causal": False, "window": None, "alibi": False}
    added = bias(only_bias, q.device) if case.get("mask") == "bias" else None

    def visible(b, _h, row, column):
        seen = row_of[row] == column_of[column] if case.get("lengths") else column >= 0
        if case.get("causal"):
            seen = seen & (columns[column] <= rows[row])
        if case.get("window") is not None:
            seen = seen & (columns[column] >= rows[row] - case["window"])
        if case.get("mask") == "padding":
            seen = seen & (column < lengths[b])
        return seen

    def score(value, _b, h, row, column):
        if case.get("alibi"):
            value = value - slopes[h] * (rows[row] - columns[column]).abs()
        if added is not None:
            value = value + added[0, h, row, column].to(value.dtype)
        return value

    partly = case.get("window") is not None or case.get("mask") == "padding"
    masked = case.get("causal") or case.get("lengths") or partly
    size = (case["batch"], None, case["queries"], case["keys"])
    block = create_block_mask(visible, *size, device=q.device) if masked else None
    scored = score if case.get("alibi") or added is not None else None
    call = compiled(flex_attention) if q.is_cuda else flex_attention
    with untraced() if case.get("quick") and not q.is_cuda else nullcontext():
        return call(q, k, v, score_mod=scored, block_mask=block, enable_gqa=k.shape[1] != q.shape[1])


@contextmanager
def untraced():
    """On a CPU the same operators run whether dynamo traces them or not; tracing takes most of the time."""
    import torch.nn.attention.flex_attention as settings

    name = "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG"
    was = getattr(settings, name, None)
    if was is None:  # torch before 2.9 has no such switch
        yield
        return
    setattr(settings, name, True)
    try:
        yield
    finally:
        setattr(settings, name, was)


def compiled(function):
    """With room for every case: past its limit of recompilations dynamo would run it uncompiled, and not say so."""
    import torch._dynamo.config as settings

    for name in ("recompile_limit", "cache_size_limit"):  # the newer name and the older
        if hasattr(settings, name):
            setattr(settings, name, 1024)
    return torch.compile(function)


def places(case) -> tuple:
    """Of each query and each key: its place among the keys of its sequence, and which sequence that is."""
    listed = apart(case) if case.get("lengths") else [case]
    queries = [torch.arange(one["queries"]) + (one["keys"] - one["queries"]) for one in listed]
    keys = [torch.arange(one["keys"]) for one in listed]
    return (
        *(torch.cat(queries), torch.cat(keys)),
        *(torch.cat([torch.full_like(one, at) for at, one in enumerate(parts)]) for parts in (queries, keys)),
    )


def flash_2(q, k, v, case):
    """flash-attn 2."""
    import flash_attn

    refuse_masks(case)
    version = tuple(int(part) for part in re.findall(r"\d+", getattr(flash_attn, "__version__", ""))[:2])
    if case.get("causal") and version < (2, 1) and apart_in_length(case):
        raise Refused("before flash-attn 2.1 the causal mask counts from the first key")
    return flash(flash_attn, q, k, v, case, everything=-1)


def flash_3(q, k, v, case):
    import flash_attn_interface

    refuse_masks(case, "dropout", "alibi")
    return flash(flash_attn_interface, q, k, v, case, everything=-1)


def flash_4(q, k, v, case):
    import flash_attn.cute

    refuse_masks(case, "dropout", "alibi")
    return flash(flash_attn.cute, q, k, v, case, everything=None)


def flash(module, q, k, v, case, everything):
    """Both functions of flash-attn 2 to 4; `everything` is how that one says a window without an end."""
    options = {}
    if case.get("causal"):
        options["causal"] = True
    if case.get("dropout"):
        options["dropout_p"] = case["dropout"]
    if case.get("window") is not None:
        options["window_size"] = (case["window"], 0 if case.get("causal") else everything)
    if case.get("alibi"):
        options["alibi_slopes"] = alibi_slopes(case["heads"]).to(q.device)
    if not case.get("lengths"):
        call = module.flash_attn_func
        return turned(alone(call(turned(q), turned(k), turned(v), **fitting(call, options))))
    call = module.flash_attn_varlen_func
    needed, offered = packing(case, q.device)
    found = call(flat(q), flat(k), flat(v), **fitting(call, {**options, **needed}, offered))
    return unflat(alone(found))


def packing(case, device) -> tuple[dict, dict]:
    """Where packed sequences begin and end, in the words of flash-attn; and what only some versions ask for."""
    needed = {
        "cu_seqlens_q": starts(case["lengths"], device, torch.int32),
        "cu_seqlens_k": starts(key_lengths(case), device, torch.int32),
    }
    return needed, {"max_seqlen_q": max(case["lengths"]), "max_seqlen_k": max(key_lengths(case))}


def fitting(call, needed: dict, offered: dict | None = None) -> dict:
    """The options for one version of a function: all that are needed, and the offered ones that it knows."""
    known = inspect.signature(call).parameters
    missing = next((name for name in needed if name not in known), None)
    if missing is not None:
        raise Refused(f"this version of it has no {missing}")
    return {**needed, **{name: value for name, value in (offered or {}).items() if name in known}}


def alone(found):
    """The result without what some versions return beside it: flash-attn 3 and 4 had the logarithms of the sums there."""
    return found[0] if isinstance(found, tuple) else found


def xformers(q, k, v, case):
    from xformers.ops import memory_efficient_attention

    masked = xformers_mask(q, case)
    k, v = repeated(k, q), repeated(v, q)
    found = memory_efficient_attention(turned(q), turned(k), turned(v), attn_bias=masked, p=case.get("dropout", 0.0))
    return turned(found)


def xformers_mask(q, case):
    """Its own object for a mask that it knows by name, and a tensor for what is added to the scores."""
    from xformers.ops.fmha import attn_bias as known

    if case.get("window") is not None and not case.get("causal"):
        raise Refused("its windows are causal")
    if case.get("lengths"):
        return xformers_packed(known, case)
    if case.get("mask") or case.get("alibi"):
        return aligned(bias(case, q.device).to(q.dtype).expand(*q.shape[:3], case["keys"]))
    if case.get("window") is not None:
        # a query counts among the keys of its window
        return named(known, "LowerTriangularFromBottomRightLocalAttentionMask")(case["window"] + 1)
    if not case.get("causal"):
        return None
    if apart_in_length(case):
        return named(known, "LowerTriangularFromBottomRightMask")()
    return known.LowerTriangularMask()


def xformers_packed(known, case):
    refuse_masks(case, "alibi")
    found = known.BlockDiagonalMask.from_seqlens(list(case["lengths"]), list(key_lengths(case)))
    if case.get("window") is not None:
        return named(found, "make_local_attention_from_bottomright")(case["window"] + 1)
    if not case.get("causal"):
        return found
    if apart_in_length(case):
        return named(found, "make_causal_from_bottomright")()
    return found.make_causal()


def named(holder, name):
    if not hasattr(holder, name):
        raise Refused(f"this version of it has no {name}")
    return getattr(holder, name)


def aligned(one):
    """The same values where every row begins at a multiple of 8 elements, as its kernels ask."""
    wide = one.new_zeros(*one.shape[:-1], -(-one.shape[-1] // 8) * 8)
    wide[..., : one.shape[-1]] = one
    return wide[..., : one.shape[-1]]


def sage(q, k, v, case):
    import sageattention

    refuse_masks(case, "dropout", "alibi", "window")
    if case.get("direction") == "backward":
        raise Refused("it has no backward")
    causal = bool(case.get("causal"))
    if causal and apart_in_length(case):
        raise Refused("its causal mask is for as many queries as keys")
    if not case.get("lengths"):
        return sageattention.sageattn(q, k, v, tensor_layout="HND", is_causal=causal)
    needed, longest = packing(case, q.device)
    call = named(sageattention, "sageattn_varlen")
    return unflat(call(flat(q), flat(k), flat(v), **needed, **longest, is_causal=causal))


def apart_in_length(case) -> bool:
    """Whether some sequence has another number of queries than of keys."""
    if case.get("lengths"):
        return list(key_lengths(case)) != list(case["lengths"])
    return case["queries"] != case["keys"]


def refuse_masks(case, *more, who="it"):
    for name in ("mask", *more):
        if case.get(name) not in (None, False, 0.0):
            raise Refused(f"{who} has no {name}")


def turned(one):
    """(batch, heads, sequence, head_dim) to (batch, sequence, heads, head_dim), and back."""
    return one.transpose(1, 2).contiguous()


def flat(one):
    """(1, heads, all sequences, head_dim) to (all sequences, heads, head_dim)."""
    return one[0].transpose(0, 1).contiguous()


def unflat(one):
    return one.transpose(0, 1).contiguous().unsqueeze(0)


def starts(lengths, device, dtype):
    """Where each of the packed sequences begins, and where the last one ends."""
    return torch.tensor([0, *lengths]).cumsum(0).to(device, dtype)


SUBJECTS = {
    "eager": run_eager,
    "flex_attention": flex,
    "flash_attention_2": flash_2,
    "flash_attention_3": flash_3,
    "flash_attention_4": flash_4,
    "xformers": xformers,
    "sage_attention": sage,
}


class NoFunction(TypeError):
    """What was named is something else; its text is what a user reads."""


def own(path: str, name: str):
    """A kernel of the user's: FILE.py and a function (q, k, v, *, causal, mask, scale)."""
    import importlib.util
    import reprlib

    spec = importlib.util.spec_from_file_location("kernel_under_test", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name)
    if not callable(function):
        shown = " ".join(reprlib.repr(function).split())
        raise NoFunction(f"{name} cannot be called: it is of type {type(function).__name__}, {shown}")

    def call(q, k, v, case):
        if case.get("dropout"):
            raise Refused("dropout is not asked of a kernel of one's own")
        added = bias(case, q.device)
        more = case.get("mask") or case.get("alibi") or case.get("window") is not None or case.get("lengths")
        plain_causal = case.get("causal") and not more
        mask = None if added is None or plain_causal else added.to(q.dtype)
        return function(q, repeated(k, q), repeated(v, q), causal=bool(plain_causal), mask=mask)

    return call
