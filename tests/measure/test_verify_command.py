"""`attn-doctor verify` as it is called: what it prints, its exit codes, and what an interruption leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support import clean_environment

SCHEMA = json.loads((Path(__file__).parents[2] / "attn_doctor/schemas/verification.json").read_text(encoding="utf-8"))
WRONG = Path(__file__).parent / "wrong_kernels.py"
STOPS = """
import os, pathlib, time

def kernel(q, k, v, causal, mask):
    if q.requires_grad:  # the third case
        pathlib.Path(__file__).with_name("stopped").write_text(str(os.getpid()))
        time.sleep(3600)
    scores = q.float() @ k.float().transpose(-1, -2) / q.shape[-1] ** 0.5
    if causal:
        scores = scores.masked_fill(~scores.new_ones(scores.shape[-2:]).bool().tril(), float("-inf"))
    return (scores.softmax(-1) @ v.float()).to(q.dtype)
"""
pytestmark = pytest.mark.xdist_group("torch")


def command(python: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "attn_doctor", "verify", "--python", python, "--quick", *arguments]


def called(python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    call = command(python, *arguments)
    return subprocess.run(call, env=clean_environment(), capture_output=True, text=True, timeout=200, check=False)


def test_everything_right_in_words(torch_python: str) -> None:
    done = called(torch_python, "--seed", "7")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "Every kernel that ran is right."
    assert {line.split()[1] for line in lines if line.startswith("+")} == {
        *("eager", "sdpa", "sdpa.flash", "sdpa.math", "flex_attention")
    }
    chosen = lines.index("What sdpa took where it was free to choose:")
    assert lines[chosen + 1].split() == ["flash", "4", "cases"]
    assert lines[chosen + 2].split()[:3] == ["math", "1", "case,"]
    assert "not flash: torch gives no reason" in lines[chosen + 3]


def test_a_wrong_kernel_in_words(torch_python: str) -> None:
    done = called(torch_python, "--kernel", f"{WRONG}:wrong_gradient")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2] == "! your kernel          wrong: 4 right, 1 not right"
    assert "                       only where a case is: backward" in lines
    assert any("--seed" in line for line in lines[-2:])


def test_the_document_keeps_its_promise(torch_python: str) -> None:
    done = called(torch_python, "sdpa", "--format", "json", "--seed", "7")
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert (done.returncode, document["seed"], document["interrupted"]) == (0, 7, False)
    assert len(document["rows"]) == 15
    assert [one["kernel"] for one in document["sdpa"]] == ["flash", "math"]


def test_one_kernel_of_sdpa_by_itself(torch_python: str) -> None:
    done = called(torch_python, "sdpa.math", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [one["name"] for one in json.loads(done.stdout)["subjects"]] == ["sdpa.math"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sdpa.cudnn",), "sdpa.cudnn is no kernel of the CPU sdpa has here: sdpa.flash, sdpa.math."),
        (("sdpa.nonsense",), "expected a backend, or one kernel of sdpa"),
        (("eager.math",), "expected a backend, or one kernel of sdpa"),
        (("--device", "cuda"), "--device cuda: torch 2.13.0+cpu is a CPU build"),
        (("--kernel", f"{WRONG}:nothere"), "there is no function nothere in it"),
        (("--kernel", f"{WRONG}:KEPT"), "wrong_kernels.py: KEPT cannot be called: it is of type dict, {}"),
        (("--kernel", "broken.py:kernel"), "SyntaxError: "),
        (("--kernel", "raises.py:kernel"), "AttributeError: module 'math' has no attribute 'nothere'"),
    ],
)
def test_a_wrong_call_accuses_no_kernel(
    torch_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "broken.py").write_text("def kernel(:\n", encoding="utf-8")
    (tmp_path / "raises.py").write_text("import math\nmath.nothere\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = called(torch_python, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())


def test_without_torch_it_is_said_with_the_command(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", symlinks=True)
    done = called(str(tmp_path / "env/bin/python"))
    assert (done.returncode, done.stdout) == (3, "")
    said = " ".join(done.stderr.split())
    assert f"torch is not installed in {tmp_path / 'env'}" in said
    assert "install torch" in said
    assert "attn-doctor check" not in said


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to one process there")
def test_an_interruption_keeps_what_was_done_and_leaves_nothing_running(torch_python: str, tmp_path: Path) -> None:
    (tmp_path / "stops.py").write_text(STOPS, encoding="utf-8")
    call = command(torch_python, "--kernel", f"{tmp_path}/stops.py:kernel", "--format", "json")
    process = subprocess.Popen(call, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stopped = tmp_path / "stopped"
    until = time.monotonic() + 120
    while not (stopped.exists() and stopped.read_text(encoding="utf-8")) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err
    document: dict[str, Any] = json.loads(out)
    jsonschema.validate(document, SCHEMA)
    assert document["interrupted"] is True
    assert [row["status"] for row in document["rows"]] == ["right", "right"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(stopped.read_text(encoding="utf-8")), 0)
