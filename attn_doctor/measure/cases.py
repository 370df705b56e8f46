"""What is asked of a kernel: the cases of a verification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

DTYPES = ("bf16", "fp16", "fp32")
DIMENSIONS = (32, 64, 96, 128, 192, 256)
# parts of what is said of a case that have numbers of their own
KINDS = ("GQA", "window", "dropout", "lengths")
# one short, one beyond a block of 128, none a multiple of the next
PACKED = (37, 129, 5, 64)
SHORTER, LONGER = (1, 33, 64), (90, 33, 200)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Sizes in elements; `window`: how many keys before its own a query sees.

    `lengths`: sequences packed one after the other; `key_lengths`: where they have other numbers of keys.
    """

    subject: str
    dtype: str = "bf16"
    head_dim: int = 64
    batch: int = 2
    heads: int = 4
    kv_heads: int = 4
    queries: int = 160
    keys: int = 160
    causal: bool = False
    mask: str | None = None
    window: int | None = None
    alibi: bool = False
    dropout: float = 0.0
    lengths: tuple[int, ...] | None = None
    key_lengths: tuple[int, ...] | None = None
    direction: str = "forward"
    seed: int = 0
    device: str = "cpu"

    @property
    def said(self) -> str:
        """'bf16, head dimension 64, causal, backward'."""
        parts = [
            self.dtype,
            f"head dimension {self.head_dim}",
            "causal" if self.causal else "",
            f"GQA {self.heads}:{self.kv_heads}" if self.kv_heads != self.heads else "",
            f"{self.mask} mask" if self.mask else "",
            f"window {self.window}" if self.window is not None else "",
            "ALiBi" if self.alibi else "",
            f"dropout {self.dropout:g}" if self.dropout else "",
            self._size(),
            "backward" if self.direction == "backward" else "",
        ]
        return ", ".join(part for part in parts if part)

    def _size(self) -> str:
        if self.lengths:
            over = f" over {_and(self.key_lengths)}" if self.key_lengths else ""
            return f"lengths {_and(self.lengths)}{over}"
        return f"{self.queries} x {self.keys}" if (self.queries, self.keys) != (160, 160) else ""

    @property
    def told(self) -> bool:
        """Whether it is asked which kernel ran: in forward, where it is more than the plain case."""
        more = (self.mask, self.alibi, self.window is not None, self.lengths, self.dropout, self.kv_heads != self.heads)
        return self.direction == "forward" and any(more)

    def question(self) -> dict[str, Any]:
        """As the child takes it."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def cases(subject: str, seed: int, device: str, *, quick: bool) -> Iterator[Case]:
    """The cases for one subject, each with a seed of its own."""
    first = Case(subject=subject, device=device)
    listed = _quick(first) if quick else _all(first)
    for place, case in enumerate(listed):
        yield replace(case, seed=seed + place)


def _quick(first: Case) -> Iterator[Case]:
    dtypes = ("bf16", "fp32") if first.device == "cpu" else ("bf16", "fp16")
    for dtype in dtypes:
        yield replace(first, dtype=dtype, causal=True)
    yield replace(first, causal=True, direction="backward")
    yield replace(first, kv_heads=2, queries=113, keys=113)
    yield _packed(first, PACKED)


def _all(first: Case) -> Iterator[Case]:
    for dtype in DTYPES:
        for head_dim in DIMENSIONS:
            for causal in (False, True):
                for direction in ("forward", "backward"):
                    yield replace(first, dtype=dtype, head_dim=head_dim, causal=causal, direction=direction)
    # flash-attn knows no fp32, a CPU no use for fp16
    for dtype in ("bf16", "fp32") if first.device == "cpu" else DTYPES:
        yield from _features(replace(first, dtype=dtype))


def _features(plain: Case) -> Iterator[Case]:
    """What only some backends have: each forward and backward."""
    for one in _with_both(plain):
        yield one
        yield replace(one, direction="backward")
    yield replace(plain, queries=1, keys=333)
    yield replace(plain, queries=700, keys=700, batch=1)


def _with_both(plain: Case) -> Iterator[Case]:
    causal = replace(plain, causal=True)
    yield replace(plain, kv_heads=2)
    yield replace(causal, kv_heads=1)
    yield replace(plain, mask="padding")
    yield replace(plain, mask="bias")
    yield replace(causal, window=31)
    yield replace(causal, alibi=True)
    yield replace(plain, dropout=0.2)
    yield replace(causal, queries=113, keys=113)
    yield replace(causal, queries=65, keys=200)
    yield _packed(plain, PACKED)
    yield _packed(causal, PACKED)
    yield _packed(replace(causal, kv_heads=2, window=31), PACKED)
    yield _packed(causal, SHORTER, LONGER)


def _packed(one: Case, lengths: tuple[int, ...], keys: tuple[int, ...] | None = None) -> Case:
    return replace(one, batch=1, lengths=lengths, key_lengths=keys, queries=sum(lengths), keys=sum(keys or lengths))


def _and(lengths: tuple[int, ...] | None) -> str:
    return " ".join(map(str, lengths or ()))
