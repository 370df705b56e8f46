"""`attn-doctor explain` as users and scripts call it: files, pipes, commands, formats, exit codes, bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import attn_doctor
import imagined

SCHEMA = json.loads((Path(attn_doctor.__file__).parent / "schemas/diagnosis.json").read_text(encoding="utf-8"))
ISOLATED = """Collecting flash-attn
  Using cached flash_attn-2.8.3.tar.gz (8.4 MB)
  Installing build dependencies: finished with status 'done'
  Getting requirements to build wheel: finished with status 'error'
  error: subprocess-exited-with-error
  \u00d7 Getting requirements to build wheel did not run successfully.
  \u2570\u2500> [3 lines of output]
      Traceback (most recent call last):
        File "<string>", line 20, in <module>
      ModuleNotFoundError: No module named 'torch'
      [end of output]
note: This error originates from a subprocess, and is likely not a problem with pip.
"""
GOOD = "Collecting einops\nInstalling collected packages: einops\nSuccessfully installed einops-0.8.1\n"
STRANGE = "pip is here\nerror: the frobnicator of this torch is out of cheese\n"
FOREIGN = "npm ERR! code ELIFECYCLE\nmake: *** [all] Error 2\n"
A100 = ("--what-if", "gpu=NVIDIA A100-SXM4-40GB", "--what-if", "driver=580.65.06")
A100 += ("--what-if", "torch=2.8.0+cu128", "--what-if", "python=3.12")


def explain(log: str, *arguments: str) -> imagined.Called:
    return imagined.call("explain", *arguments, stdin=log)


def diagnosis(log: str, *arguments: str) -> Any:
    called = explain(log, "-", "--format", "json", *arguments)
    assert called.err == ""
    found = called.json()
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    return found


@pytest.mark.parametrize(
    ("log", "verdict", "code"),
    [(ISOLATED, "failure", 1), (GOOD, "healthy", 0), (STRANGE, "unknown", 3), (FOREIGN, "unrelated", 0)],
)
def test_the_contract(log: str, verdict: str, code: int) -> None:
    assert diagnosis(log)["verdict"] == verdict
    for arguments in (("-",), ()):
        called = explain(log, *arguments)
        assert (called.code, called.err) == (code, "")
        assert all(len(line) <= 80 for line in called.out.splitlines() if "  fix" not in line and "  or " not in line)


def test_the_json_of_the_contract() -> None:
    found = diagnosis(ISOLATED, *A100)
    assert (found["schema"], found["lines"]) == ("attn-doctor/diagnosis/1", 12)
    (cause,) = found["causes"]
    assert cause["category"] == "torch-missing-build-isolation"
    assert (cause["line"], cause["evidence"]) == (10, "ModuleNotFoundError: No module named 'torch'")
    assert cause["confidence"] == "certain"
    assert cause["fix"][0].startswith("attn-doctor install flash_attention_2")
    assert any("--no-build-isolation" in fix for fix in cause["fix"])
    assert found["said"] == {}


def test_the_text() -> None:
    out = explain(ISOLATED, "-", *A100).out
    assert out.startswith("standard input \u00b7 12 lines\n")
    assert "> 10 |       ModuleNotFoundError: No module named 'torch'" in out
    assert "\n  fix   attn-doctor install flash_attention_2" in out
    assert "only\nfollows from it." in out or "only follows from it." in out


def test_a_file_and_where_the_answer_goes(tmp_path: Path) -> None:
    log, answer = tmp_path / "b\u00fcild log.txt", tmp_path / "answer.json"
    log.write_bytes(ISOLATED.encode("utf-16"))
    called = imagined.call("explain", str(log), "--format", "json", "--output", str(answer))
    assert (called.code, called.out) == (1, "")
    assert json.loads(answer.read_text(encoding="utf-8"))["log"] == str(log)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.log",), "cannot read nowhere.log: No such file"),
        ((".",), "cannot read .: Is a directory"),
        (("-", "--format", "sarif"), "expected text or json"),
        (("-", "--facts", "-"), "cannot both be standard input"),
        (("-", "--what-if", "gpu=Voodoo 2"), "Voodoo"),
        (("-", "--facts", "nowhere.json"), "cannot read nowhere.json"),
        (("--",), "needs a COMMAND"),
        (("x.log", "--", "pip", "list"), "give one of them"),
        (("a\0b",), "cannot read"),
    ],
)
def test_bad_calls(arguments: tuple[str, ...], said: str) -> None:
    called = explain(ISOLATED, *arguments)
    assert called.code == 2
    assert said in " ".join(called.err.split())
    assert called.out == ""


def run(*command: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    call = [sys.executable, "-m", "attn_doctor", "explain", *command]
    return subprocess.run(call, capture_output=True, timeout=60, check=False, **more)


SAYS = (
    "import sys; sys.stdout.buffer.write(bytes(range(256))); sys.stdout.flush();"
    " sys.stderr.write(sys.argv[1]); sys.exit(int(sys.argv[2]))"
)


@pytest.mark.parametrize("code", [0, 1, 7, 120])
def test_a_command_ends_as_it_would_have(code: int) -> None:
    done = run("--", sys.executable, "-c", SAYS, ISOLATED, str(code))
    assert done.returncode == code
    assert done.stdout == bytes(range(256))
    said = done.stderr.decode()
    assert said.startswith(ISOLATED)
    assert ("torch-missing-build-isolation" in said) is (code != 0)


def test_a_command_that_is_killed_or_missing() -> None:
    done = run("--", sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")
    assert done.returncode == 128 + signal.SIGKILL
    gone = run("--", "no-such-program-at-all", "--help")
    assert gone.returncode == 127
    assert b"cannot run no-such-program-at-all: there is no such command" in gone.stderr


def test_options_behind_the_dashes_are_the_commands() -> None:
    done = run(
        "--format",
        "json",
        "--",
        sys.executable,
        "-c",
        "import sys; print(sys.argv[1:]); sys.exit(3)",
        "--format",
        "text",
    )
    assert done.returncode == 3
    first, _, rest = done.stdout.partition(b"\n")
    assert first == b"['--format', 'text']"
    assert json.loads(rest)["schema"] == "attn-doctor/diagnosis/1"


def test_standard_input_reaches_the_command() -> None:
    assert run("--", sys.executable, "-c", "print(input())", input=b"yes\n").stdout == b"yes\n"


@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")
def test_on_a_terminal_the_command_has_one() -> None:
    import pty

    ours, theirs = pty.openpty()
    program = "import sys; print(sys.stdout.isatty(), sys.stderr.isatty()); sys.exit(5)"
    call = [sys.executable, "-m", "attn_doctor", "explain", "--", sys.executable, "-c", program]
    process = subprocess.Popen(call, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL)
    os.close(theirs)
    said = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break
        if not data:
            break
        said += data
    os.close(ours)
    assert process.wait(timeout=60) == 5
    assert said.startswith(b"True True\r\n")
