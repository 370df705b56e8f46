"""The word by which a framework calls a backend."""

from __future__ import annotations

import pytest

from attn_doctor.errors import UsageError
from attn_doctor.judgement import words
from attn_doctor.judgement.backend import backends
from attn_doctor.knowledge import frameworks
from attn_doctor.knowledge.versions import numbers

ROWS = [(name, row) for name in frameworks.names() for row in frameworks.releases(name)]


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{name}-{row.since}" for name, row in ROWS])
def test_every_row_speaks_of_backends_and_of_what_it_accepts(name: str, row: frameworks.Framework) -> None:
    assert set(row.words) <= set(backends())
    assert set(row.words.values()) <= set(row.accepted)
    assert set(row.own) <= set(row.words)
    assert set(row.chain) <= set(row.words)
    assert row.setting is None or "{word}" in row.setting


def test_releases_stand_newest_first() -> None:
    for name in frameworks.names():
        since = [numbers(row.since) for row in frameworks.releases(name)]
        assert since == sorted(since, reverse=True), name


@pytest.mark.parametrize(
    ("name", "backend", "version", "setting"),
    [
        ("transformers", "sdpa", "4.36.2", 'attn_implementation="sdpa"'),
        ("transformers", "flash_attention_4", "5.3.0", None),  # came with 5.4
        ("transformers", "flash_attention_4", "5.4.0", 'attn_implementation="flash_attention_4"'),
        ("transformers", "flash_attention_3", "4.52.4", None),  # came with 4.53
        ("transformers", "flex_attention", "4.46.3", None),
        ("transformers", "flex_attention", "4.47.1", 'attn_implementation="flex_attention"'),
        ("diffusers", "flash_attention_2", "0.36.0", 'set_attention_backend("flash")'),
        ("diffusers", "eager", None, 'set_attention_backend("_native_math")'),
        ("vllm", "flash_attention_2", "0.11.2", "VLLM_ATTENTION_BACKEND=FLASH_ATTN"),
        ("vllm", "flash_attention_2", "0.33.0", "--attention-backend FLASH_ATTN"),
        ("sglang", "flash_attention_3", None, "--attention-backend fa3"),
        ("nanogpt", "eager", None, "attention_backend = 'manual'"),
        ("llama.cpp", "flash_attention_2", None, "--flash-attn on"),
    ],
)
def test_a_backend_in_the_words_of_a_release(name: str, backend: str, version: str | None, setting: str | None) -> None:
    found = words.word(name, backend, version)
    assert found.setting == setting
    assert (found.reason is None) is (setting is not None)
    assert found.source
    assert found.as_of


@pytest.mark.parametrize("name", ["HF", "TensorRT_LLM", "trtllm", "llama-cpp", "vLLM"])
def test_frameworks_by_the_names_people_write(name: str) -> None:
    assert words.framework(name) in frameworks.names()


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(UsageError, match="no framework 'transfomers'") as raised:
        words.framework("transfomers")
    assert "Did you mean transformers?" in (raised.value.hint or "")
    with pytest.raises(UsageError, match=r"older than what attn-doctor knows"):
        words.word("transformers", "sdpa", "4.30.0")


def test_every_word_of_a_release() -> None:
    assert list(words.words("transformers", "4.36.2")) == ["eager", "sdpa", "flash_attention_2"]
