"""Where nothing may be installed, and where what is there is not known: no plan that can be carried out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest

import imagined
from attn_doctor.judgement import source_build
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.facts import Unknown
from attn_doctor.machine.gather import Facts, encode
from attn_doctor.machine.whatif import simulate
from attn_doctor.plan import steps

A100 = ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.8.0+cu128")


def facts(*keys: str, target: dict[str, Any] | None = None, **readings: Any) -> bytes:
    """An imagined machine with some readings as no key can make them."""
    found = simulate([*keys])
    changed = dict(found.readings) | readings
    if target:
        old = changed["python"]
        changed["python"] = msgspec.structs.replace(old, value=msgspec.structs.replace(old.value, **target))
    return encode(Facts(readings=changed))


def plan(data: bytes, *options: str) -> Any:
    called = imagined.call("install", *options, "--dry-run", "--format", "json", "--facts", "-", stdin=data)
    document = called.json()
    assert called.code == (0 if document["possible"] else 1)
    return document


def status(data: bytes, backend: str = "flash_attention_2") -> str:
    return imagined.status(imagined.call("check", "--format", "json", "--facts", "-", stdin=data).json(), backend)


@pytest.mark.parametrize(
    ("python", "code"),
    [({"externally_managed": True, "kind": "system"}, "AD313"), ({"interpreter_gone": True}, "AD319")],
)
@pytest.mark.parametrize("options", [("fa2",), ("fa2", "--method", "wheel"), ("fa2", "--method", "hub")])
def test_a_closed_target(python: dict[str, Any], code: str, options: tuple[str, ...]) -> None:
    data = facts(*A100, target=python)
    assert status(data) == "blocked"
    one = plan(data, *options)
    assert not one["possible"]
    assert code in one["blocked_by"]
    assert not any(way["possible"] and way["steps"] for way in one["alternatives"])


def test_a_closed_target_closes_another_version_too() -> None:
    data = facts(*A100, "pkg.flash-attn=2.8.3", target={"externally_managed": True})
    assert plan(data, "fa2")["possible"], "it is ready: nothing needs doing"
    assert not plan(data, "fa2", "--version", "2.8.3.post1")["possible"]


@pytest.mark.parametrize("name", ["torch", "gpus", "driver", "packages", "python"])
@pytest.mark.parametrize("backend", ["fa2", "sdpa", "sage_attention"])
def test_nothing_is_installed_on_a_guess(name: str, backend: str) -> None:
    one = plan(facts(*A100, **{name: Unknown("permission denied")}), backend)
    assert not (one["possible"] and one["steps"]), one["title"]
    if not one["possible"]:
        assert one["obstacles"]


def test_a_build_that_cannot_be_judged_says_what_is_not_known() -> None:
    one = plan(facts(*A100, "nvcc=12.8", "ram=64GiB", memory=Unknown("no /proc")), "fa2", "--method", "source")
    assert not one["possible"]
    assert any("how much memory is free could not be read: no /proc" in obstacle for obstacle in one["obstacles"])
    blind = Machine(simulate([*A100, "ram=64GiB"]))
    blind.facts.readings["toolkits"] = Unknown("no answer")
    said = source_build.refusal(blind, blind.capabilities, "flash-attn", "2")
    assert said == "the CUDA toolkits could not be read: no answer"


def test_a_version_of_a_backend_inside_torch_is_torchs() -> None:
    one = plan(facts(*A100), "sdpa", "--version", "2.99")
    assert not one["possible"]
    assert plan(facts(*A100), "sdpa", "--version", "2.9.1")["version"].startswith("2.9.1+")


def test_what_the_model_needs_counts_for_a_container_too() -> None:
    assert not plan(facts(*A100), "fa2", "--method", "docker", "--need", "dtype=fp32")["possible"]


def test_on_windows_the_text_is_for_powershell() -> None:
    python = {"executable": r"C:\some where\python.exe", "prefix": r"C:\some where", "kind": "venv"}
    data = facts("os=windows", "gpu=NVIDIA GeForce RTX 4070", "torch=2.8.0+cu128", target=python)
    called = imagined.call("install", "fa2", "--dry-run", "--facts", "-", stdin=data)
    assert r"& 'C:\some where\python.exe' -m pip" in called.out
    assert "--format sh" not in called.out
    (keep,) = [step for step in plan(data, "fa2")["steps"] if step["kind"] == "keep"]
    assert keep["undo"].startswith("Move-Item 'C:")


def test_a_neither_pip_nor_uv_gets_pip() -> None:
    data = facts(*A100, target={"executable": "/v/bin/python", "prefix": "/v"})
    commands = [" ".join(step["command"]) for step in plan(data, "fa2")["steps"]]
    assert "/v/bin/python -m ensurepip --upgrade" in commands
    assert not any(command.startswith("uv ") for command in commands)


def test_a_folder_whose_name_looks_like_a_copy() -> None:
    data = facts(*A100, target={"executable": "/e.before-2024/v/bin/python", "prefix": "/e.before-2024/v"})
    (keep,) = [step for step in plan(data, "fa2")["steps"] if step["kind"] == "keep"]
    there = keep["command"][-1]
    assert keep["undo"] == (
        f"mv /e.before-2024/v /e.before-2024/v.failed-{there[-8:]} && mv {there} /e.before-2024/v"
        f" && rm -rf /e.before-2024/v.failed-{there[-8:]}"
    )


@pytest.mark.parametrize("prefix", ["/opt/v/", "/opt/v"])
def test_a_copy_stands_beside_and_never_inside(prefix: str) -> None:
    data = facts(*A100, target={"executable": "/opt/v/bin/python", "prefix": prefix})
    (keep,) = [step for step in plan(data, "fa2")["steps"] if step["kind"] == "keep"]
    assert keep["command"][-2] == "/opt/v"
    assert keep["command"][-1].startswith("/opt/v.before-")


@pytest.mark.parametrize("text", [steps.KEEP, steps.PINS, steps.DIGEST_CHECK])
def test_programs_keep_to_double_quotes(text: str) -> None:
    """So that they can be turned into single ones where a shell wants those."""
    assert "'" not in text
    compile(text, "program", "exec")
    compile(text.replace('"', "'"), "program", "exec")


def test_pins_are_names_and_not_beginnings() -> None:
    """What begins as a name that may move does not move for it."""
    code = steps.PINS
    done = subprocess.run([sys.executable, "-c", code, "pytest", "msg*"], capture_output=True, text=True, check=True)
    names = {line.partition("==")[0] for line in done.stdout.split()}
    assert "pytest" not in names
    assert {"pytest-timeout", "msgspec"} <= names
    assert "pip" not in names
    some = subprocess.run([sys.executable, "-c", code, "types-*"], capture_output=True, text=True, check=True)
    assert not any(line.startswith("types-") for line in some.stdout.split())


@pytest.mark.parametrize("name", ["A; touch x; B", "", "1A", "A B", "A=B"])
def test_a_saved_plan_cannot_bring_a_shell_command_as_a_variable(name: str, tmp_path: Any) -> None:
    one = plan(facts(*A100), "fa2")
    one["steps"][0]["env"] = {name: "x"}
    saved = tmp_path / "plan.json"
    saved.write_text(json.dumps(one), encoding="utf-8")
    called = imagined.call("install", "--dry-run", "--plan", str(saved), "--facts", "-", stdin=facts(*A100))
    assert (called.code, called.out) == (2, "")
    assert "no name of a variable" in called.err


def test_what_stands_against_a_toolkit_beside_is_said() -> None:
    """CUDA 11.8 takes gcc 11 at most: of the two things that are missing, both are named."""
    found = simulate(["gpu=NVIDIA H100 80GB HBM3", "torch=2.7.0+cu118", "nvcc=12.5", "gcc=12.2", "python=3.11"])
    one = plan(encode(found), "fa2", "--method", "source")
    assert not one["possible"]
    assert any("nvcc is 12.5, torch is CUDA 11.8" in said for said in one["obstacles"])
    assert any("takes gcc 11 at most, and gcc is 12.2" in said for said in one["obstacles"])
    older = simulate(["gpu=NVIDIA H100 80GB HBM3", "torch=2.7.0+cu118", "nvcc=12.5", "gcc=11.4", "python=3.11"])
    said = plan(encode(older), "fa2", "--method", "source")["obstacles"]
    assert not any("at most" in one for one in said)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("gpu=NVIDIA H100 80GB HBM3", "driver=418.40"), "driver 418.40 runs no published CUDA build"),
        (("gpu=AMD Instinct MI300X",), "the GPU here is AMD's"),
    ],
)
def test_a_torch_for_the_cpu_beside_a_gpu_says_so(keys: tuple[str, ...], said: str) -> None:
    one = plan(encode(simulate([*keys, "torch=none"])), "sdpa")
    assert one["possible"]
    assert one["version"].endswith("+cpu")
    assert any(said in warning for warning in one["warnings"])
    healthy = plan(encode(simulate(["gpu=none", "torch=none"])), "sdpa")
    assert not any("CPU" in warning for warning in healthy["warnings"])


def test_nothing_to_do_and_the_gpu_lies_idle() -> None:
    one = plan(encode(simulate(["gpu=NVIDIA H100 80GB HBM3", "torch=2.8.0+cpu"])), "sdpa")
    assert one["method"] == "none"
    assert any("the GPU lies idle beside torch 2.8.0+cpu" in warning for warning in one["warnings"])
    used = plan(encode(simulate(["gpu=NVIDIA H100 80GB HBM3", "torch=2.8.0+cu128"])), "sdpa")
    assert used["warnings"] == []
