"""The shapes that a benchmark measures: presets, those that a call names, those of a model on disk."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from attn_doctor.errors import BadInput, UsageError
from attn_doctor.knowledge.tables import rows

DIRECTIONS = ("forward", "backward", "both")
# of the forward pass: two products in it, five in the backward pass
PASSES = {"forward": 1.0, "backward": 2.5, "both": 3.5}
SHAPE = r"(?P<batch>\d+)x(?P<length>\d+)x(?P<heads>\d+)x(?P<head_dim>\d+)(?:x(?P<kv_heads>\d+))?"
LARGEST = 1 << 24


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One attention call: batch, sequence length, heads of the queries and of keys and values, size of a head."""

    batch: int
    length: int
    heads: int
    kv_heads: int
    head_dim: int
    causal: bool
    dtype: str

    @property
    def said(self) -> str:
        """'4x2048x16x128 causal bf16'; with grouped keys '4x2048x32x128x8'."""
        sizes = [self.batch, self.length, self.heads, self.head_dim]
        sizes += [self.kv_heads] if self.kv_heads != self.heads else []
        return f"{'x'.join(map(str, sizes))} {'causal ' if self.causal else ''}{self.dtype}"

    def flops(self, direction: str) -> float:
        """Floating-point operations of one call: 4·b·s²·h·d, half of it when causal, times the passes."""
        whole = 4 * self.batch * self.length**2 * self.heads * self.head_dim
        return whole * PASSES[direction] * (0.5 if self.causal else 1.0)

    def scores_bytes(self) -> int:
        """Of the whole matrix of scores in the dtype: what eager attention holds several times over."""
        return self.batch * self.heads * self.length**2 * (4 if self.dtype == "fp32" else 2)


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A grid: every pair of batch and length with every head dimension and mask, at one hidden size."""

    name: str
    pairs: tuple[tuple[int, int], ...]
    head_dims: tuple[int, ...]
    hidden: int
    causal: tuple[bool, ...]
    directions: tuple[str, ...]
    source: str
    as_of: str

    def shapes(self, dtype: str) -> Iterator[Shape]:
        """Smallest first, so that a budget measures most shapes."""
        for batch, length in sorted(self.pairs, key=lambda pair: pair[0] * pair[1] ** 2):
            for head_dim in self.head_dims:
                for causal in self.causal:
                    heads = max(1, self.hidden // head_dim)
                    yield Shape(
                        batch=batch,
                        length=length,
                        heads=heads,
                        kv_heads=heads,
                        head_dim=head_dim,
                        causal=causal,
                        dtype=dtype,
                    )


def presets() -> dict[str, Preset]:
    """By name."""
    return {row.name: row for row in rows("benchmark_presets", Preset)}


def parse(text: str, causal: bool, dtype: str) -> Shape:
    """'4x2048x16x128' or, with fewer heads of keys and values, '4x2048x32x128x8'. Raises UsageError."""
    found = re.fullmatch(SHAPE, text.strip().lower())
    sizes = {name: int(value) for name, value in (found.groupdict() if found else {}).items() if value}
    if not sizes or not all(0 < value <= LARGEST for value in sizes.values()):
        raise UsageError(
            f"--shape {text}: expected BATCHxLENGTHxHEADSxHEAD_DIM, for example 4x2048x16x128",
            "A fifth number gives the heads of keys and values: 4x2048x32x128x8.",
        )
    sizes.setdefault("kv_heads", sizes["heads"])
    if sizes["heads"] % sizes["kv_heads"]:
        raise UsageError(f"--shape {text}: {sizes['heads']} heads cannot share {sizes['kv_heads']} of keys and values")
    return Shape(**sizes, causal=causal, dtype=dtype)


# how config.json files name the same thing
NAMES = {
    "heads": ("num_attention_heads", "n_head", "num_heads", "n_heads", "decoder_attention_heads"),
    "kv_heads": ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num"),
    "hidden": ("hidden_size", "n_embd", "d_model", "dim"),
    "head_dim": ("head_dim", "d_kv", "kv_channels", "attention_head_dim"),
    "length": ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"),
}
NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
ENCODERS = ("bert", "roberta", "electra", "vit", "deit", "clip", "siglip", "dinov2", "beit")


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What a config.json says of a model's attention."""

    name: str
    heads: int
    kv_heads: int
    head_dim: int
    length: int | None
    causal: bool


def model(path: str) -> Model:
    """From a Hugging Face `config.json`, or the folder that holds it. Raises BadInput."""
    file = os.path.join(path, "config.json") if os.path.isdir(path) else path
    try:
        with open(file, encoding="utf-8") as opened:
            found = json.load(opened)
    except OSError as error:
        raise BadInput(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise BadInput(f"{file} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadInput(f"{file}: expected an object with the settings of a model")
    return _described(found, file)


def _described(found: dict[str, Any], file: str) -> Model:
    inner = next((found[name] for name in NESTED if isinstance(found.get(name), dict)), found)
    sizes = {name: _number(inner, words) for name, words in NAMES.items()}
    heads, head_dim = sizes["heads"], sizes["head_dim"]
    if head_dim is None and heads and sizes["hidden"]:
        head_dim = sizes["hidden"] // heads
    if not heads or not head_dim:
        raise BadInput(
            f"{file} does not say how many attention heads the model has, or how large they are",
            f"Looked for {', '.join(NAMES['heads'][:3])} and {', '.join(NAMES['head_dim'][:2])}.",
        )
    kind = str(inner.get("model_type") or found.get("model_type") or "")
    kv_heads = sizes["kv_heads"] or (1 if inner.get("multi_query") else heads)
    return Model(
        name=kind or os.path.basename(os.path.dirname(os.path.abspath(file))),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        length=sizes["length"],
        causal=bool(inner.get("is_decoder")) or not kind.startswith(ENCODERS),
    )


def _number(found: dict[str, Any], words: tuple[str, ...]) -> int | None:
    values = (found.get(word) for word in words)
    return next(
        (value for value in values if isinstance(value, int) and not isinstance(value, bool) and value > 0), None
    )
