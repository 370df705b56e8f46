"""`check --model`, on a real transformers; what is read is held against the classes themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import imagined
from attn_doctor.judgement import words
from attn_doctor.machine.host import LiveHost
from attn_doctor.machine.modeling.transformers import FLAGS, Sources
from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import Ran

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="environments are copied by hard links"),
    pytest.mark.xdist_group("torch"),
]
FAMILIES = ("bert", "gpt2", "gpt_neo", "llama", "mistral", "falcon", "mpt", "vit", "phi4_multimodal")
CHILD = """
import importlib, json, sys
from transformers.modeling_utils import PreTrainedModel, ALL_ATTENTION_FUNCTIONS
found = {}
for module in json.loads(sys.argv[2]):
    for name, cls in vars(importlib.import_module(module)).items():
        if isinstance(cls, type) and issubclass(cls, PreTrainedModel) and cls.__module__ == module:
            flags = [flag for flag in json.loads(sys.argv[1]) if hasattr(cls, flag)]
            found[f"{module}.{name}"] = {flag: getattr(cls, flag) for flag in flags}
print(json.dumps([found, ["eager", *ALL_ATTENTION_FUNCTIONS.valid_keys()]]))
"""


@pytest.fixture(scope="module")
def sources(framework_venv: Path) -> Sources:
    return Sources(LiveHost(), str(next(framework_venv.glob("lib/python3*/site-packages/transformers"))))


def judged(venv: Path, model: object, *options: str) -> Any:
    called = imagined.call("check", "--venv", str(venv), "--model", str(model), "--format", "json", *options)
    assert called.code == 0, called
    return called.json()["model"]


def supported(model: Any) -> set[str]:
    return {one["backend"] for one in model["implementations"] if one["supported"]}


def test_what_is_read_is_what_the_classes_say(framework_venv: Path, sources: Sources) -> None:
    modules = [sources.modeling[path] for family in FAMILIES for path in sources.folders(family)]
    assert len(modules) >= len(FAMILIES)
    done = subprocess.run(
        [framework_venv / "bin/python", "-W", "ignore", "-c", CHILD, json.dumps(FLAGS), json.dumps(modules)],
        env=clean_environment() | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, accepted = json.loads(done.stdout.splitlines()[-1])
    read = {f"{one.module}.{one.name}": one.flags for module in modules for one in sources.models(module)}
    assert len(said) > 50
    assert read == said
    version = next(framework_venv.glob("lib/python3*/site-packages/transformers-*.dist-info")).name.split("-")[1]
    own = {name for name in accepted if "paged" not in name}
    assert own == set(words.row("transformers", version.removesuffix(".dist")).words)


@pytest.mark.parametrize(
    ("asked", "architecture", "takes"),
    [
        ("gpt2", "GPT2LMHeadModel", {"eager", "sdpa", "flash_attention_2", "flash_attention_3", "flash_attention_4"}),
        ("gpt-neo", "GPTNeoForCausalLM", {"eager", "flash_attention_2", "flash_attention_3", "flash_attention_4"}),
        ("MptForCausalLM", "MptForCausalLM", {"eager"}),
        ("BertModel", "BertModel", None),
        ("phi4_multimodal", "Phi4MultimodalForCausalLM", None),
    ],
)
def test_a_type_or_a_class(framework_venv: Path, asked: str, architecture: str, takes: set[str] | None) -> None:
    model = judged(framework_venv, asked)
    assert model["parts"][0]["architecture"] == architecture
    if takes is not None:
        assert supported(model) == takes
    assert model["by_itself"] == ("sdpa" if "sdpa" in supported(model) else "eager")
    assert model["use"] == ("sdpa" if "sdpa" in supported(model) else "eager"), "on the CPU, what the model has"


def test_what_the_model_has_and_what_the_machine_runs(framework_venv: Path) -> None:
    machine = (
        "gpu=NVIDIA A100-SXM4-80GB",
        "driver=580.95.05",
        "torch=2.8.0",
        "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE",
    )
    options = [part for key in machine for part in ("--what-if", key)]
    called = imagined.call("check", "--venv", str(framework_venv), "--model", "gpt_neo", "--format", "json", *options)
    model = called.json()["model"]
    assert model["use"] == "flash_attention_2"
    by_name = {one["backend"]: one for one in model["implementations"]}
    assert by_name["sdpa"] | {"reason": ""} == {
        "backend": "sdpa", "word": "sdpa", "supported": False, "status": "ready", "usable": False, "reason": "",
    }  # fmt: skip
    assert by_name["flash_attention_3"]["reason"].startswith("the model supports it, ")
    text = imagined.call("check", "--venv", str(framework_venv), "--model", "gpt_neo", *options).out
    assert 'better here: attn_implementation="flash_attention_2"' in " ".join(text.split())
    assert imagined.too_wide(text) == []


def config(folder: Path, **values: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def test_a_configuration_and_its_parts(framework_venv: Path, tmp_path: Path) -> None:
    whole = config(
        tmp_path / "llava",
        model_type="llava",
        architectures=["LlavaForConditionalGeneration"],
        text_config={"model_type": "mpt"},
        vision_config={"model_type": "clip_vision_model"},
        quantization_config={"bits": 4},
    )
    for asked in (whole, whole / "config.json"):
        model = judged(framework_venv, asked)
        assert [part["key"] for part in model["parts"]] == ["", "text_config", "vision_config"]
        assert supported(model) == {"eager"}
        reasons = {one["backend"]: one["reason"] for one in model["implementations"]}
        assert reasons["sdpa"] == "text_config: MptForCausalLM does not support it"


def test_a_model_of_the_hub_that_is_in_the_cache(
    framework_venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    repository = tmp_path / "hub/models--some--llama"
    config(repository / "snapshots/abc", model_type="llama", architectures=["LlamaForCausalLM"])
    config(repository / "snapshots/aaa", model_type="bert", architectures=["BertModel"])
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("abc")
    assert judged(framework_venv, "some/llama")["model_type"] == "llama"
    called = imagined.call("check", "--venv", str(framework_venv), "--model", "some/other")
    assert called.code == 2
    assert "nothing is downloaded" in called.err.replace("\n", " ")


REMOTE = """
from transformers import PreTrainedModel
from .shared import Shared
class OwnForCausalLM(Shared, PreTrainedModel):
    _supports_flash_attn_2 = True
"""


def test_code_that_comes_with_the_weights_is_read_too(framework_venv: Path, tmp_path: Path) -> None:
    folder = config(
        tmp_path / "own",
        model_type="own",
        architectures=["OwnForCausalLM"],
        auto_map={"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"},
    )
    (folder / "modeling_own.py").write_text(REMOTE)
    (folder / "shared.py").write_text("class Shared:\n    _supports_sdpa = True\n")
    model = judged(framework_venv, folder)
    assert model["parts"][0]["source"] == "beside the configuration: modeling_own.py"
    assert supported(model) == {"eager", "sdpa"}, "from 5.4 on the old flag of FlashAttention 2 counts no more"
    assert any("trust_remote_code" in note for note in model["notes"])
    (folder / "modeling_own.py").unlink()
    called = imagined.call("check", "--venv", str(framework_venv), "--model", str(folder))
    assert called.code == 2
    assert "has no model OwnForCausalLM" in called.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("lama", "Did you mean llama"),
        ("NoSuchModel", "no such model"),
        ("./nowhere/config.json", "there is no such file"),
        ("no/such", "nothing is downloaded"),
    ],
)
def test_a_model_that_there_is_not(framework_venv: Path, asked: str, said: str) -> None:
    called = imagined.call("check", "--venv", str(framework_venv), "--model", asked)
    assert (called.code, called.out) == (2, "")
    assert said in called.err.replace("\n ", "")


def test_a_file_that_is_no_configuration(framework_venv: Path, tmp_path: Path) -> None:
    for text, said in (("[]", "no configuration"), ("{", "no configuration"), ("{}", "has no model")):
        (tmp_path / "config.json").write_text(text)
        called = imagined.call("check", "--venv", str(framework_venv), "--model", str(tmp_path / "config.json"))
        assert (called.code, called.out) == (2, ""), text
        assert said in called.err.replace("\n", " ")
    called = imagined.call("check", "--venv", str(framework_venv), "--model", str(tmp_path / "sub") + "/")
    assert called.code == 2


def test_without_transformers_and_without_its_files(cli: Callable[..., Ran], tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=60)
    recorded = cli("check", "--facts", "-", "--model", "llama", input=imagined.facts("torch=2.8.0"))
    assert recorded.code == 2
    assert "cannot go with --facts" in recorded.err.replace("\n", " ")
    said = {
        None: "transformers is not installed in the target",
        "4.30.2": "transformers 4.30.2 takes no attn_implementation, 4.36 is the first that does",
        "4.57.6": "transformers 4.57.6 is installed without its files",
    }
    site = next((tmp_path / "venv").glob("lib/python3*/site-packages"))
    for version, why in said.items():
        for old in site.glob("transformers-*"):
            old.rmdir()
        if version:
            (site / f"transformers-{version}.dist-info").mkdir()
        for asked in ("llama", "org/name"):
            nothing_known(cli, site, asked, why, version)
        missing = cli("check", "--venv", tmp_path / "venv", "--model", "./nowhere/config.json")
        assert (missing.code, missing.out) == (2, "")
        assert "there is no such file" in missing.err
        if version == "4.57.6":
            (site / "transformers").mkdir()
            (site / "transformers/models").symlink_to("models")
            unread = cli("check", "--venv", tmp_path / "venv", "--model", "llama", "--format", "json").json()["model"]
            assert unread["unknown"].startswith("transformers 4.57.6 could not be read: cannot read ")
            assert unread["fix"] == []
        snippet = cli("snippet", "transformers", "--venv", tmp_path / "venv", "--model", "llama")
        assert (snippet.code, snippet.out) == (2, "")
        assert "so nothing is known about" in " ".join(snippet.err.split())


def nothing_known(cli: Callable[..., Ran], site: Path, asked: str, why: str, version: str | None) -> None:
    """The whole report as without --model and its exit code; in each format for people the section says why."""
    venv = ("check", "--venv", site.parents[2])
    plain = json.loads(cli(*venv, "--format", "json").out)
    report = json.loads(cli(*venv, "--format", "json", "--model", asked).out)
    model = report.pop("model")
    assert plain.pop("model") is None
    assert [report[key] for key in plain if key != "facts"] == [plain[key] for key in plain if key != "facts"]
    assert (model["asked"], model["transformers"]) == (asked, version)
    assert model["unknown"] == f"{why}, so nothing is known about the implementations of {asked}"
    assert [model[key] for key in ("parts", "implementations", "by_itself", "use")] == [[], [], None, None]
    (fix,) = model["fix"]
    assert fix.startswith(f"{site.parents[2]}/bin/python -m pip install ")
    assert "transformers" in fix.split(" install ")[1]
    for form in ("text", "markdown", "html", "github"):
        called = cli(*venv, "--format", form, "--model", asked)
        assert called.code == 0, called.err
        assert f"nothing is known about the implementations of {asked}" in " ".join(called.out.split())
        assert fix in called.out
    text = cli(*venv, "--model", asked)
    assert imagined.too_wide(text.out.replace(str(site.parents[2]), "")) == []
    required = cli(*venv, "--require", "sdpa", "--model", asked)
    assert required.code == 1, "the exit code is that of the report"
