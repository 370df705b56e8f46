"""`attn-doctor snippet`: for each framework, release and machine the right words; the code itself runs in tests/e2e."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

import attn_doctor
import imagined
from attn_doctor.issues._project import projects
from attn_doctor.knowledge import frameworks
from attn_doctor.snippets._snippet import makers

SCHEMA = json.loads((Path(attn_doctor.__file__).parent / "schemas/snippet.json").read_text(encoding="utf-8"))
CPU = ("torch=2.13.0+cpu",)
L4 = ("gpu=NVIDIA L4", "torch=2.8.0+cu128", "python=3.12")
FLASH = "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE"
T4 = ("gpu=Tesla T4", "torch=2.8.0+cu128", "python=3.12", FLASH)
H100 = ("gpu=NVIDIA H100 80GB HBM3", "torch=2.8.0+cu128", "python=3.12", FLASH)
MAC = ("os=macos", "arch=aarch64", "gpu=Apple M2", "torch=2.8.0")
WIDTH = 80


def snippet(*words: str, on: tuple[str, ...] = CPU, code: int = 0) -> dict[str, str]:
    called = imagined.call("snippet", *words, "--facts", "-", "--format", "json", stdin=imagined.facts(*on))
    assert called.code == code, called
    document: dict[str, str] = called.json()
    return document


@pytest.mark.parametrize(
    "on", [CPU, L4, (*L4, FLASH), T4, H100, MAC, ()], ids=["cpu", "L4", "fa2", "T4", "H100", "mac", "empty"]
)
@pytest.mark.parametrize("name", makers())
def test_every_snippet_on_every_kind_of_machine(name: str, on: tuple[str, ...]) -> None:
    called = imagined.call("snippet", name, "--facts", "-", "--format", "json", stdin=imagined.facts(*on))
    assert called.code in (0, 1)
    document = called.json()
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)
    text = imagined.call("snippet", name, "--facts", "-", stdin=imagined.facts(*on))
    assert text.out == document["text"]
    assert max(map(len, document["text"].splitlines())) <= WIDTH
    assert document["code"].strip() in document["text"]
    assert document["check"].strip() in document["text"]
    if document["language"] == "python":
        ast.parse(document["text"])
    elif document["language"] == "sh":
        subprocess.run(["sh", "-n"], input=document["text"].encode(), check=True, timeout=60)
    else:
        lines = [line for line in document["text"].splitlines() if line and not line.startswith("#")]
        assert lines[0] == f"attn_implementation: {document['word'] or 'eager'}"


@pytest.mark.parametrize("number", range(11))
def test_every_recorded_machine(number: int) -> None:
    """Each machine with one framework and one project in turn: no crash, no line that is too long."""
    files = sorted((Path(__file__).parent.parent / "machines").glob("*.json"))[number::11]
    assert files
    for place, file in enumerate(files):
        on = imagined.facts(*json.loads(file.read_text(encoding="utf-8"))["simulate"])
        name = [*makers()][(number + place) % len(makers())]
        called = imagined.call("snippet", name, "--facts", "-", stdin=on)
        refused = "is older than what attn-doctor knows" in " ".join(called.err.split())
        assert called.code in ((2,) if refused else (0, 1)), (file.stem, name, called)
        assert max((len(line) for line in called.out.splitlines()), default=0) <= WIDTH, (file.stem, name)
        project = [*projects()][(number + place) % len(projects())]
        told = imagined.call("issue", project, "--facts", "-", stdin=on)
        assert (told.code, "```text" in told.out) == (0, True), (file.stem, told)


def test_transformers_by_release_and_machine() -> None:
    newest = snippet("transformers", on=(*L4, FLASH))
    assert newest["word"] == "flash_attention_2"
    assert 'chain=("flash_attention_2", "sdpa", "eager")' in newest["code"]
    assert "dtype=torch.bfloat16" in newest["code"], "FlashAttention takes no float32"
    assert '.to("cuda")' in newest["code"]
    older = snippet("transformers", on=(*L4, FLASH, "pkg.transformers=4.55.0"))
    assert "torch_dtype=torch.bfloat16" in older["code"]
    assert "transformers 4.55.0" in older["text"]
    turing = snippet("transformers", on=T4)
    assert (turing["word"], "torch.float16" in turing["code"]) == ("sdpa", True)
    assert "Turing" in turing["text"] or "7.5" in turing["text"]
    assert snippet("transformers", "fa2", on=MAC)["word"] == "sdpa", "a Mac has sdpa"
    assert '.to("mps")' in snippet("transformers", on=MAC)["code"]
    assert "flash_attention_* is ever selected by itself" in " ".join(newest["notes"])
    assert snippet("transformers", "--need", "dtype=fp16", on=(*L4, FLASH))["code"].count("torch.float16") == 1
    called = imagined.call("snippet", "transformers", "--facts", "-", stdin=imagined.facts("pkg.transformers=4.30.0"))
    assert (called.code, called.out) == (2, "")


def test_argparse_offers_what_that_release_takes() -> None:
    choices = re.compile(r'"(\w+)",\n')
    old = snippet("argparse", on=(*CPU, "pkg.transformers=4.40.0"))
    assert choices.findall(old["code"])[:3] == ["eager", "sdpa", "flash_attention_2"]
    assert "flex_attention" not in old["code"]
    assert "flash_attention_4" in snippet("argparse", on=(*CPU, "pkg.transformers=5.23.0"))["code"]


def test_servers() -> None:
    def line(name: str, *on: str) -> str:
        return snippet(name, on=on)["code"].replace("\\\n    ", "")

    assert "vllm serve" in line("vllm", *L4)
    assert "--attention-backend FLASH_ATTN" in line("vllm", *L4)
    assert "VLLM_ATTENTION_BACKEND=FLASH_ATTN vllm serve" in line("vllm", *L4, "pkg.vllm=0.11.2")
    assert "--attention-backend fa3" in line("sglang", *H100)
    assert "--flash-attn on" in line("llama.cpp", *CPU)
    assert "enabled" in snippet("llama.cpp")["check"], "as its log spells it"
    assert 'BACKEND = "TRTLLM"' in line("tensorrt-llm", *H100)


def test_a_server_that_cannot_run_is_not_given_a_backend() -> None:
    called = imagined.call("snippet", "vllm", "--facts", "-", stdin=imagined.facts(*CPU))
    assert called.code == 1
    assert "--attention-backend" not in called.out
    assert "has it for NVIDIA GPUs" in " ".join(called.err.split())


def test_what_is_passed_over_is_said_on_standard_error_too() -> None:
    called = imagined.call("snippet", "transformers", "--facts", "-", stdin=imagined.facts(*CPU))
    assert (called.code, "flash_attention_2 does not run here" in called.err) == (0, True)
    for name in makers():
        assert imagined.too_wide(imagined.call("snippet", name, "--facts", "-", stdin=imagined.facts(*CPU)).err) == []


def test_the_first_line_and_the_exit_code_agree() -> None:
    """The function for xformers has sdpa in its place: something runs, where there is a torch."""
    for name in makers():
        for on, code in ((CPU, 0), ((), 1)):
            called = imagined.call("snippet", name, "--facts", "-", stdin=imagined.facts(*on))
            nothing = "nothing of the chain runs here" in called.out.replace("\n# ", " ")
            assert (called.code == 1) is nothing, (name, called)
            assert name != "xformers" or called.code == code
    shown = imagined.call("snippet", "xformers", "--facts", "-", stdin=imagined.facts(*CPU)).out
    assert "no GPU: sdpa in its place\n" in shown


def test_what_the_world_demands_stands_in_its_table() -> None:
    """A bound that moves there moves in what is pasted; nothing is said twice."""
    for file in sorted((Path(attn_doctor.__file__).parent / "snippets").glob("*.py")):
        said = re.search(r"\(\d+, 0\)|(?:capability|torch|than) \d+\.\d", file.read_text(encoding="utf-8"))
        assert said is None, file
    autodetect, nanogpt = (snippet(name, on=L4)["code"] for name in ("autodetect", "nanogpt"))
    for code in (autodetect, nanogpt):
        assert "capability < (8, 0)" in code or "get_device_capability() < (8, 0)" in code
    assert "# torch 2.0 and later" in autodetect
    assert "is older than 2.0" in nanogpt


def test_names() -> None:
    assert snippet("hf")["framework"] == "transformers"
    assert snippet("TensorRT_LLM", on=H100)["framework"] == "tensorrt-llm"
    refused = imagined.call("snippet", "tranformers")
    assert (refused.code, refused.out) == (2, "")
    assert "Did you mean transformers?" in refused.err
    for name in makers():
        assert name in " ".join(refused.err.split())
    misspelt = imagined.call("snippet", "torchtun")
    assert (misspelt.code, "Did you mean torchtune?" in misspelt.err) == (2, True)
    for name in makers():  # each has words for `resolve --for`, or is told what to call
        resolved = imagined.call("resolve", "--for", name, "--facts", "-", stdin=imagined.facts("torch=2.8.0"))
        assert resolved.code != 2 or f"attn-doctor snippet {name}" in resolved.err, name
    chooses = imagined.call("snippet", "torchtune")
    assert "attn-doctor resolve --for torchtune" in " ".join(chooses.err.split())
    assert (chooses.code, "chooses by itself" in " ".join(chooses.err.split())) == (2, True)
    assert imagined.call("snippet").code == 2
    assert imagined.call("snippet", "vllm", "--model", "bert").code == 2
    assert imagined.call("snippet", "vllm", "nonsense").code == 2


def test_every_framework_with_a_setting_has_a_snippet() -> None:
    settable = {name for name in frameworks.names() if frameworks.releases(name)[0].setting}
    assert settable <= set(makers())
