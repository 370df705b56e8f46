"""What is asked of a kernel: the cases of a verification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

DTYPES = ("bf16", "fp16", "fp32")
DIMENSIONS = (32, 64, 96, 128, 192, 256)


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One call. Sizes in elements; `window`: how many keys before its own a query sees."""

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
            f"{self.queries} x {self.keys}" if (self.queries, self.keys) != (160, 160) else "",
            "backward" if self.direction == "backward" else "",
        ]
        return ", ".join(part for part in parts if part)

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


def _all(first: Case) -> Iterator[Case]:
    for dtype in DTYPES:
        for head_dim in DIMENSIONS:
            for causal in (False, True):
                for direction in ("forward", "backward"):
                    yield replace(first, dtype=dtype, head_dim=head_dim, causal=causal, direction=direction)
    for dtype in ("bf16", "fp32"):
        plain = replace(first, dtype=dtype)
        yield replace(plain, kv_heads=2)
        yield replace(plain, kv_heads=1, causal=True, direction="backward")
        yield replace(plain, mask="padding")
        yield replace(plain, mask="bias", direction="backward")
        yield replace(plain, causal=True, window=31)
        yield replace(plain, alibi=True, causal=True)
        yield replace(plain, dropout=0.2)
        yield replace(plain, queries=1, keys=333)
        yield replace(plain, queries=113, keys=113, causal=True)
        yield replace(plain, queries=700, keys=700, batch=1)
