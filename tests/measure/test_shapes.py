"""Shapes: presets, those that a call names, and those of models on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from attn_doctor.errors import BadInput, UsageError
from attn_doctor.measure.shapes import Shape, model, parse, presets

if TYPE_CHECKING:
    from pathlib import Path

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32,
    "num_key_value_heads": 8, "max_position_embeddings": 8192, "head_dim": 128,
}  # fmt: skip
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_positions": 1024}
BERT = {"model_type": "bert", "hidden_size": 768, "num_attention_heads": 12, "max_position_embeddings": 512}
FALCON = {"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71, "multi_query": True}
INNER = {
    "model_type": "gemma3_text", "hidden_size": 2560, "num_attention_heads": 8, "num_key_value_heads": 4,
    "head_dim": 256, "max_position_embeddings": 131072,
}  # fmt: skip
GEMMA = {"model_type": "gemma3", "text_config": INNER}


def test_the_grid_of_the_documents() -> None:
    shapes = list(presets()["documents"].shapes("bf16"))
    assert len(shapes) == 24
    assert {one.batch * one.length for one in shapes} == {16384}
    assert {one.heads * one.head_dim for one in shapes} == {2048}
    assert [one.length for one in shapes] == sorted(one.length for one in shapes)
    assert presets()["documents"].directions == ("forward", "backward", "both")


def test_the_formula() -> None:
    plain = parse("4x2048x16x128", causal=False, dtype="bf16")
    masked = parse("4X2048X16X128", causal=True, dtype="bf16")
    assert plain.flops("forward") == 4 * 4 * 2048**2 * 16 * 128
    assert masked.flops("forward") * 2 == plain.flops("forward")
    assert plain.flops("backward") == 2.5 * plain.flops("forward")
    assert plain.flops("both") == 3.5 * plain.flops("forward")


def test_grouped_heads_show_in_the_name() -> None:
    shape = parse("4x2048x32x128x8", causal=True, dtype="fp16")
    assert (shape.heads, shape.kv_heads) == (32, 8)
    assert shape.said == "4x2048x32x128x8 causal fp16"


@pytest.mark.parametrize(
    "text", ["", "4x2048", "4x2048x16", "axbxcxd", "0x1x1x1", "1x1x1x99999999", "4x2048x16x128x3", "-1x2x3x4"]
)
def test_what_is_no_shape(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text, causal=True, dtype="bf16")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (LLAMA, ("llama", 32, 8, 128, 8192, True)),
        (GPT2, ("gpt2", 12, 12, 64, 1024, True)),
        (BERT, ("bert", 12, 12, 64, 512, False)),
        (FALCON, ("falcon", 71, 1, 64, None, True)),
        (GEMMA, ("gemma3_text", 8, 4, 256, 131072, True)),
    ],
    ids=["llama", "gpt2", "bert", "falcon", "gemma3"],
)
def test_a_model_on_disk(tmp_path: Path, config: dict[str, object], expected: tuple[object, ...]) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    for path in (tmp_path, tmp_path / "config.json"):
        found = model(str(path))
        assert (found.name, found.heads, found.kv_heads, found.head_dim, found.length, found.causal) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "expected an object"),
        ("{}", "does not say how many attention heads"),
        (None, "cannot read"),
    ],
)
def test_a_file_that_is_no_model(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(BadInput, match=said):
        model(str(tmp_path))


def test_scores_of_eager() -> None:
    shape = Shape(batch=2, length=1024, heads=8, kv_heads=8, head_dim=64, causal=False, dtype="bf16")
    assert shape.scores_bytes() == 2 * 8 * 1024 * 1024 * 2
