"""`attn-doctor resolve`: what a shell and a program see."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest

import attn_doctor
import imagined
from imagined import call, facts

L4 = facts("gpu=NVIDIA L4", "torch=2.8.0", "pkg.transformers=4.57.6")
READY = facts("gpu=NVIDIA L4", "torch=2.8.0", "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE")
EMPTY = facts("gpu=NVIDIA L4")


def test_the_answer_alone_stands_on_standard_output() -> None:
    called = call("resolve", "--facts", "-", stdin=L4)
    assert (called.code, called.out) == (0, "sdpa\n")
    assert " ".join(called.err.split()) == (
        "attn-doctor: flash_attention_2 does not run here: flash-attn is not installed; using sdpa"
    )
    assert imagined.too_wide(called.err) == []
    quiet = call("resolve", "--facts", "-", stdin=READY)
    assert (quiet.code, quiet.out, quiet.err) == (0, "flash_attention_2\n", "")


@pytest.mark.parametrize(
    ("options", "data", "code"),
    [
        ((), L4, 0),
        (("--strict",), L4, 1),
        (("--strict",), READY, 0),
        (("sdpa", "--strict"), L4, 0),
        ((), EMPTY, 1),
        (("--chain", "fa2,xformers"), L4, 1),
        (("--need", "dtype=fp8"), L4, 1),
        (("--require", "fa2"), L4, 1),
        (("--require", "sdpa", "--fail-on", "error"), L4, 0),
    ],
)
def test_exit_codes(options: tuple[str, ...], data: bytes, code: int) -> None:
    called = call("resolve", *options, "--facts", "-", stdin=data)
    assert called.code == code, called
    nothing = call("resolve", *options, "--facts", "-", "--format", "json", stdin=data).json()["backend"] is None
    assert (called.out == "") is nothing


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("fa22",), "Did you mean"),
        (("--chain", "sdpa,egaer"), "Did you mean eager"),
        (("--chain", ","), "the chain is empty"),
        (("--for", "vlm"), "Did you mean vllm"),
        (("--for", "argparse"), "Use --for transformers, or: attn-doctor snippet argparse"),
        (("--for", "Auto_Detect"), "attn-doctor snippet autodetect"),
        (("--need", "colour"), "no need 'colour'"),
        (("--format", "yaml"), "expected text or json or env"),
        (("--require", "fa9"), "no backend 'fa9'"),
    ],
)
def test_what_cannot_be_read_is_exit_2(options: tuple[str, ...], said: str) -> None:
    called = call("resolve", *options, "--facts", "-", stdin=L4)
    assert called.code == 2
    assert called.out == ""
    assert said in called.err.replace("\n  ", " ")


def test_the_document_validates_against_its_schema() -> None:
    schema = json.loads((Path(attn_doctor.__file__).parent / "schemas/resolution.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for data in (L4, READY, EMPTY):
        for options in ((), ("--for", "transformers"), ("--for", "vllm")):
            document = call("resolve", *options, "--format", "json", "--facts", "-", stdin=data).json()
            jsonschema.Draft202012Validator(schema).validate(document)
            assert document["schema"] == "attn-doctor/resolution/1"
            chosen = [step["backend"] for step in document["steps"] if step["chosen"]]
            assert chosen == ([document["backend"]] if document["backend"] else [])


def test_the_words_of_a_framework() -> None:
    assert call("resolve", "--for", "diffusers", "--facts", "-", stdin=L4).out == "native\n"
    whole = call("resolve", "--for", "transformers", "-v", "--facts", "-", stdin=L4)
    assert 'attn_implementation="sdpa"' in whole.out
    assert "~ flash_attention_2" in whole.out
    assert imagined.too_wide(whole.out) == []


def test_lines_for_a_shell(tmp_path: Path) -> None:
    lines = call("resolve", "--for", "diffusers", "--format", "env", "--facts", "-", stdin=L4).out
    shown = "$ATTN_BACKEND $ATTN_IMPLEMENTATION $ATTN_REQUESTED $ATTN_FELL_BACK $DIFFUSERS_ATTN_BACKEND"
    for take in ('eval "$1"', "eval $1", 'export $1; sh -c : ; : "$1"'):
        script = f'{take}; echo "{shown}"'
        done = subprocess.run(
            ["sh", "-c", script, "sh", lines], capture_output=True, text=True, cwd=tmp_path, check=True
        )
        assert done.stdout == "sdpa native flash_attention_2 true native\n", take
    nothing = call("resolve", "--format", "env", "--facts", "-", stdin=EMPTY)
    assert nothing.code == 1
    assert "ATTN_BACKEND=\n" in nothing.out, "what an earlier call has set must not stay"


@pytest.mark.parametrize(("options", "data"), [((), EMPTY), (("--strict",), L4), (("--require", "fa2"), L4)])
def test_eval_and_env_fail_where_the_call_does(options: tuple[str, ...], data: bytes) -> None:
    """The exit code of what is within $(...) is lost to both."""
    called = call("resolve", *options, "--format", "env", "--facts", "-", stdin=data)
    for script in ('eval "$1" || exit 7', "env $1 true || exit 7"):
        done = subprocess.run(["sh", "-c", script, "sh", called.out], check=False)
        assert (called.code, done.returncode) == (1, 7), script


def test_a_row_of_every_release_names_none() -> None:
    passed = call("resolve", "--for", "xformers", "--facts", "-", stdin=L4).err
    assert "xformers has no name for it" in " ".join(passed.split())
    assert "tensorrt-llm 0" not in call("resolve", "--for", "trtllm", "--facts", "-", stdin=L4).err


def test_it_can_be_written_to_a_file_and_run_offline(tmp_path: Path) -> None:
    data = tmp_path / "facts.json"
    data.write_bytes(L4)
    called = call(
        "resolve", "--offline", "--facts", str(data), "--output", str(tmp_path / "out"), "--what-if", "torch=none"
    )
    assert (called.code, called.out, (tmp_path / "out").read_text(encoding="utf-8")) == (1, "", "")
    assert set(os.listdir(tmp_path)) == {"facts.json", "out"}
