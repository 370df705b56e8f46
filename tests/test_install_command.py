"""`attn-doctor install --dry-run` as users and scripts call it: formats, exit codes, saved plans, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import attn_doctor
import imagined
from attn_doctor.plan.plan import METHODS

A100 = ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.8.0+cu128")
T4 = ("gpu=Tesla T4", "torch=2.8.0+cu128")
SCHEMA = json.loads((Path(attn_doctor.__file__).parent / "schemas/plan.json").read_text(encoding="utf-8"))
STEP = {"id", "title", "kind", "command", "env", "undo", "needs_root"}
PLAN = {"backend", "method", "package", "version", "wheel", "build", "steps", "alternatives", "blocked_by", "warnings"}
WHEEL = {"filename", "url", "sha256", "source", "trust"}
BUILD = {"max_jobs", "nvcc_threads", "cuda_archs", "env", "peak_memory_gib", "minutes"}


def install(*arguments: str, keys: tuple[str, ...] = A100, dry: bool = True) -> imagined.Called:
    return imagined.call(
        "install", *arguments, *(("--dry-run",) if dry else ()), "--facts", "-", stdin=imagined.facts(*keys)
    )


def planned(*arguments: str, keys: tuple[str, ...] = A100) -> Any:
    called = install(*arguments, "--format", "json", keys=keys)
    assert called.err == ""
    return called.json()


@pytest.mark.parametrize(
    ("backend", "keys"),
    [
        ("fa2", A100),
        ("fa2", T4),
        ("fa4", A100),
        ("sdpa", A100),
        ("sdpa", ()),
        ("fa2", ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.12.0a0+1.nv26.05", "torch_cuda=13.0", "nvcc=13.0", "ram=64GiB")),
        ("xformers", ("os=macos",)),
    ],
)
def test_the_json_of_the_contract(backend: str, keys: tuple[str, ...]) -> None:
    plan = planned(backend, keys=keys)
    jsonschema.validate(plan, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert plan["schema"] == "attn-doctor/plan/1"
    for one in (plan, *plan["alternatives"]):
        assert one.keys() >= PLAN
        assert one["method"] in METHODS
        assert one["wheel"] is None or one["wheel"].keys() >= WHEEL
        assert one["build"] is None or one["build"].keys() >= BUILD
        assert all(step.keys() >= STEP for step in one["steps"])
    assert all(one["alternatives"] == [] for one in plan["alternatives"])
    assert set(plan["blocked_by"]) <= {code for code in plan["blocked_by"] if code.startswith("AD")}


@pytest.mark.parametrize("form", ["text", "json", "sh"])
@pytest.mark.parametrize(("keys", "code"), [(A100, 0), (T4, 1), ((*A100, "pkg.flash-attn=2.8.3"), 0)])
def test_one_exit_code_in_every_format(form: str, keys: tuple[str, ...], code: int) -> None:
    called = install("fa2", "--format", form, keys=keys)
    assert (called.code, called.err) == (code, "")
    assert called.out


def test_text_stays_in_80_columns_but_for_commands_and_addresses() -> None:
    for keys in (A100, T4, (*A100, "driver=none")):
        text = install("fa2", "-v", keys=keys).out
        own = [line for line in text.splitlines() if not line.startswith(("     ", "  ", "file"))]
        assert imagined.too_wide("\n".join(own)) == []


def test_the_text_says_what_to_type_next() -> None:
    text = install("fa2", "--max-jobs", "2", "--need", "dtype=bf16").out
    last = text.splitlines()[-1]
    assert last.strip() == ("attn-doctor install fa2 --dry-run --max-jobs 2 --facts - --need dtype=bf16 --format sh")


def test_what_is_imagined_cannot_be_carried_out() -> None:
    called = install("fa2", dry=False)
    assert (called.code, called.out) == (2, "")
    assert "Add --dry-run for the plan" in " ".join(called.err.split())
    called = imagined.call("install", "sdpa", "--what-if", "gpu=Tesla T4")
    assert (called.code, called.out) == (2, "")


def test_a_saved_plan(tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    assert install("fa2", "--format", "json", "--output", str(saved)).code == 0
    again = install("--plan", str(saved), "--format", "json")
    assert again.code == 0
    assert again.out.encode() == saved.read_bytes()


@pytest.mark.parametrize(
    "change",
    [("torch=2.9.1+cu128",), ("gpu=NVIDIA L4",), ("pkg.flash-attn=2.8.3",), ("python=3.11",), ("driver=550.54.15",)],
)
def test_a_saved_plan_of_another_machine_is_refused(tmp_path: Path, change: tuple[str, ...]) -> None:
    saved = tmp_path / "plan.json"
    install("fa2", "--format", "json", "--output", str(saved))
    before = saved.read_bytes()
    called = install("--plan", str(saved), keys=(*A100, *change))
    assert (called.code, called.out) == (2, "")
    assert "another machine, or this one has changed" in called.err
    assert saved.read_bytes() == before


def test_free_memory_and_disk_do_not_make_a_plan_stale(tmp_path: Path) -> None:
    saved = tmp_path / "plan.json"
    install("fa2", "--format", "json", "--output", str(saved))
    assert install("--plan", str(saved), keys=(*A100, "ram=48GiB", "disk=50GiB")).code == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "not json",
        '{"schema": "attn-doctor/plan/2"}',
        '{"schema": "attn-doctor/plan/1"}',
        '{"schema": "attn-doctor/facts/1", "version": "0.1.0", "readings": {}}',
        '{"schema": 1}',
        "[" * 100_000,
        '{"schema": "attn-doctor/plan/1", "backend": "sdpa", "method": "guess", "title": "x"}',
        '{"schema": "attn-doctor/plan/1", "backend": "sdpa", "method": "none", "steps": [{"command": "rm"}]}',
    ],
)
def test_what_is_no_plan(tmp_path: Path, text: str) -> None:
    saved = tmp_path / "plan.json"
    saved.write_text(text, encoding="utf-8")
    called = install("--plan", str(saved))
    assert (called.code, called.out) == (2, "")
    assert " ".join(called.err.split()).startswith("attn-doctor: ")
    assert "Traceback" not in called.err
    assert len(called.err) < 1200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fa9",), "there is no backend 'fa9'"),
        (("fa2", "--method", "magic"), "--method magic: expected auto, wheel, source, hub or docker"),
        (("fa2", "--max-jobs", "0"), "--max-jobs 0: expected 1 or more"),
        (("fa2", "--trust", "nobody"), "--trust nobody"),
        (("fa2", "--version", "new"), "--version new"),
        (("fa2", "--source", "fa-oficial"), "Did you mean fa-official"),
        (("fa2", "--format", "yaml"), "--format yaml: expected text or json or sh"),
        (("fa2", "--need", "speed"), "there is no need 'speed'"),
        (("fa2", "--require", "speed"), "there is no backend 'speed'"),
        (("fa2", "--fail-on", "info"), "--fail-on info: expected error or warning or never"),
        (("fa2", "--ignore", "AD999"), "--ignore AD999: there is no such finding"),
        (("flashinfer",), "its files are listed by: attn-doctor wheels flashinfer-python"),
        (("xformer",), "Did you mean xformers?"),
        (("fa2", "--plan", "plan.json"), "--plan says what to do"),
        (("--plan", "plan.json", "--require", "sdpa"), "--plan says what to do"),
        (("--plan", "nowhere.json"), "cannot read nowhere.json"),
    ],
)
def test_bad_calls(arguments: tuple[str, ...], said: str) -> None:
    called = install(*arguments)
    assert (called.code, called.out) == (2, "")
    assert said in " ".join(called.err.split())


def test_a_script_for_windows_is_refused() -> None:
    called = install("fa2", "--format", "sh", keys=("os=windows", "gpu=NVIDIA GeForce RTX 4070", "torch=2.8.0+cu128"))
    assert (called.code, called.out) == (2, "")
    assert "no POSIX shell" in called.err


def test_a_backend_that_lacks_what_the_model_needs_is_no_plan() -> None:
    plan = planned("fa2", "--need", "mask")
    assert plan["method"] == "none"
    assert any("mask" in obstacle for obstacle in plan["obstacles"])


def test_needs_are_verified_too() -> None:
    verify = planned("fa2", "--need", "dtype=bf16", "--need", "causal")["steps"][-1]
    assert verify["command"][-8:] == [
        *("--need", "dtype=bf16", "--need", "causal", "--fail-on", "never", "--require", "flash_attention_2"),
    ]


@pytest.mark.parametrize("source", ["fa-official", "mjun0812"])
def test_only_wheels_of_a_source(source: str) -> None:
    plan = planned("fa2", "--source", source)
    assert plan["wheel"]["source"] == source
    for other in plan["alternatives"]:
        assert other["wheel"] is None or other["wheel"]["source"] == source


def test_a_version_that_is_asked_for() -> None:
    assert planned("fa2", "--version", "2.8.3")["version"] == "2.8.3"
    assert planned("fa2", "--version", "2.8.3")["wheel"]["sha256"]


def test_the_output_goes_where_it_is_asked_to(tmp_path: Path) -> None:
    file = tmp_path / "install.sh"
    called = install("fa2", "--format", "sh", "--output", str(file))
    assert (called.code, called.out) == (0, "")
    assert file.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    refused = install("fa2", "--output", str(tmp_path / "nowhere" / "file"))
    assert refused.code == 2


def test_the_same_facts_give_the_same_bytes() -> None:
    for form in ("text", "json", "sh"):
        assert install("fa2", "--format", form).raw == install("fa2", "--format", form).raw


# names


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("sage", "sage_attention"),
        ("SageAttention", "sage_attention"),
        ("sageattn", "sage_attention"),
        ("fa", "flash_attention_2"),
        ("flash-attention", "flash_attention_2"),
        ("FlashAttention-2", "flash_attention_2"),
        ("flash_attention2", "flash_attention_2"),
        ("flash-attn-3", "flash_attention_3"),
        ("flash_attn_4", "flash_attention_4"),
        ("xFormers", "xformers"),
        ("x-formers", "xformers"),
        ("flex", "flex_attention"),
        ("torch_sdpa", "sdpa"),
    ],
)
def test_names_as_people_write_them(name: str, backend: str) -> None:
    assert planned(name)["backend"] == backend


# a version where a path belongs


@pytest.mark.parametrize("command", [("install", "--dry-run"), ("check",), ("docker",), ("facts",)])
@pytest.mark.parametrize(("python", "meant"), [("3.12", "3.12"), ("cp313t", "3.13t"), ("3.11.9", "3.11")])
def test_a_version_where_a_path_belongs_is_told(command: tuple[str, ...], python: str, meant: str) -> None:
    called = imagined.call(*command, "--python", python)
    assert (called.code, called.out) == (2, "")
    assert f"--what-if python={meant}" in " ".join(called.err.split())


def test_a_file_of_such_a_name_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "3.12").write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert "--what-if" not in imagined.call("check", "--python", "3.12").err


# what is not there: a name outside a closed list is a wrong call, a release that nobody published is no plan


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version", "9.9.9"), 1),
        (("--version", "nine"), 2),
        (("--source", "nonsense"), 2),
        (("--trust", "nonsense"), 2),
        (("--method", "nonsense"), 2),
    ],
)
def test_what_is_not_there(arguments: tuple[str, ...], code: int) -> None:
    called = install("fa2", *arguments)
    assert called.code == code
    assert bool(called.out) is (code == 1), "a plan that cannot be carried out is printed all the same"
    files = imagined.call("wheels", *arguments, "--facts", "-", stdin=imagined.facts(*A100))
    assert arguments[0] == "--method" or files.code == code


# what has to be true afterwards


def test_another_backend_that_has_to_be_ready_afterwards() -> None:
    plan = planned("fa2", "--require", "sdpa", "--require", "fa2")
    assert plan["possible"] is True
    assert plan["steps"][-1]["command"][-4:] == ["--require", "flash_attention_2", "--require", "sdpa"]
    keys = (A100[0], "torch=2.9.1")
    refused = install("fa2", "--require", "xformers", "--format", "json", keys=keys)
    assert refused.code == 1
    (obstacle,) = refused.json()["obstacles"]
    assert obstacle.startswith("--require xformers: it would be installable afterwards")
    assert planned("xformers", "--require", "xformers", keys=keys)["possible"] is True


def test_a_finding_that_would_be_left() -> None:
    keys = (*A100, "pkg.torchvision=0.20.0")
    left = {finding["code"] for finding in imagined.judged(*keys)["findings"] if finding["severity"] == "error"}
    assert left
    plan = planned("fa2", "--fail-on", "error", keys=keys)
    assert plan["possible"] is False
    assert any(code in obstacle for code in left for obstacle in plan["obstacles"])
    ignored = [part for code in sorted(left) for part in ("--ignore", code)]
    passed = planned("fa2", "--fail-on", "error", *ignored, keys=keys)
    assert passed["possible"] is True
    assert passed["steps"][-1]["command"][-len(ignored) :] == ignored
    assert "error" in passed["steps"][-1]["command"]


def test_what_comes_in_with_a_package_is_not_missed_beforehand() -> None:
    plan = planned("fa4", "--fail-on", "error")
    assert plan["possible"] is True, plan["obstacles"]


# an extra by the CUDA of torch


@pytest.mark.parametrize(
    ("torch", "wanted"), [("2.9.1+cu130", "flash-attn-4[cu13]==4.0.0b36"), ("2.9.1+cu128", "flash-attn-4==4.0.0b36")]
)
def test_the_extra_of_a_cuda_major(torch: str, wanted: str) -> None:
    keys = ("gpu=NVIDIA H100 80GB HBM3", f"torch={torch}")
    plan = planned("fa4", keys=keys)
    assert [step["command"][-1] for step in plan["steps"] if step["id"] == "demands"] == [wanted]
    files = imagined.call("wheels", "fa4", "--format", "json", "--facts", "-", stdin=imagined.facts(*keys)).json()
    (command,) = files["next_steps"]
    assert wanted in command
    assert ("'" in command) is ("[" in wanted), "a shell would take the brackets for a pattern"
    old = imagined.judged(*keys, "pkg.flash-attn-4=4.0.0b36", "pkg.nvidia-cutlass-dsl=4.4.2")
    (fix,) = [finding["fix"] for finding in old["findings"] if finding["code"] == "AD315"]
    assert ("nvidia-cutlass-dsl[cu13]>=" in fix[0]) is ("[" in wanted)
