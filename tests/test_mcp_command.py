"""`attn-doctor mcp` answers the official SDK's own client over stdio, and offers nothing that changes anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import jsonschema
import pytest
from mcp import Client, StdioServerParameters, stdio_client

import attn_doctor
import imagined
from support import clean_environment

L4 = ["gpu=NVIDIA L4", "torch=2.8.0+cu128", "python=3.12"]
SCHEMAS = Path(attn_doctor.__file__).parent / "schemas"
READS = {"check", "resolve", "install_plan", "repair_plan", "wheels", "explain", "rule", "snippet", "docker"}
LOG = "nvcc fatal   : Unsupported gpu architecture 'compute_120'\nerror: command '/usr/local/cuda/bin/nvcc' failed\n"
# a call, and the schema that its answer validates against; None: it has none
CALLS: list[tuple[str, dict[str, Any], str | None]] = [
    ("check", {"machine": L4, "need": ["causal"]}, "report"),
    ("resolve", {"machine": L4, "framework": "diffusers"}, "resolution"),
    ("install_plan", {"machine": L4, "backend": "fa2"}, "plan"),
    ("repair_plan", {"machine": L4}, "plan"),
    ("wheels", {"machine": L4, "limit": 2}, "wheels"),
    ("explain", {"log": LOG}, "diagnosis"),
    ("rule", {"code": "ad103"}, None),
    ("snippet", {"machine": L4, "framework": "transformers"}, "snippet"),
    ("docker", {"machine": L4}, "docker"),
]
# what an assistant may be talked into: each is refused, and leaves no trace
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("wheels", {"backend": "refresh"}),
    ("wheels", {"backend": "--output=trace"}),
    ("check", {"need": ["--output=trace"]}),
    ("check", {"what_if": ["--output=trace"]}),
    ("check", {"machine": ["--output=trace"]}),
    ("check", {"machine": L4, "venv": "."}),
    ("check", {"venv": "evil"}),
    ("check", {"venv": "--python=evil/bin/python"}),
    ("snippet", {"framework": "--output=trace"}),
    ("snippet", {"framework": "vllm", "backend": "--output=trace"}),
    ("explain", {"log": "x", "what_if": ["--", "touch", "trace"]}),
    ("rule", {"code": "--list"}),
    ("install_plan", {"backend": "--yes", "machine": L4}),
    ("install_plan", {"method": "wheel --yes", "machine": L4}),
    ("docker", {"backend": "--check=/etc/passwd"}),
]


# arguments that a tool does not take, and all that is said of it
WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    ("check", {"machines": L4}, ['check has no argument "machines": did you mean machine?']),
    (
        "check",
        {"machine": L4, "what-if": ["torch=none"], "ouput": "trace"},
        [
            'check has no argument "what-if": did you mean what_if?',
            'check has no argument "ouput": it takes venv, machine, what_if and need.',
        ],
    ),
    (
        "rule",
        {"kode": "AD103"},
        ['rule has no argument "kode": did you mean code?', "rule needs code: A finding code such as AD103."],
    ),
    (
        "check",
        {"need": 3, "machine": [1, 2]},
        ["need: expected a list of texts, not 3.", "machine: expected a list of texts, not [1, 2]."],
    ),
    (
        "check",
        {"venv": {"a": ["x" * 60]}},
        ['venv: expected a text, not {"a": ["xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx ....'],
    ),
    ("wheels", {"limit": 0}, ["limit: expected a whole number from 1 to 200, not 0."]),
    ("wheels", {"limit": "many"}, ['limit: expected a whole number from 1 to 200, not "many".']),
    ("install_plan", {"method": "conda"}, ['method: expected auto, wheel, source, hub or docker, not "conda".']),
    ("chek", {}, ['there is no tool "chek": did you mean check?']),
]


# every way to this machine's own target, in a project whose files lead to a program
TRAPPED: list[tuple[str, dict[str, Any]]] = [
    ("check", {}),
    ("check", {"venv": "gone"}),
    ("resolve", {}),
    ("install_plan", {"backend": "fa2"}),
    ("repair_plan", {}),
    ("repair_plan", {"venv": "gone"}),
    ("wheels", {"limit": 1}),
    ("snippet", {"framework": "transformers"}),
    ("docker", {}),
    ("explain", {"log": LOG}),
]


async def talk(folder: Path) -> dict[str, Any]:
    """One session: the tools, every call, and what may not be."""
    server = StdioServerParameters(
        command=str(Path(sys.executable).with_name("attn-doctor")), args=["mcp"], cwd=folder, env=clean_environment()
    )
    async with Client(stdio_client(server)) as client:
        tools = (await client.list_tools()).tools
        answers = [await client.call_tool(name, given) for name, given, _ in CALLS]
        refused = [await client.call_tool(name, given) for name, given in REFUSED]
        wrong = [await client.call_tool(name, given) for name, given, _ in WRONG]
        trapped = [await client.call_tool(name, given) for name, given in TRAPPED]
    return {"tools": tools, "answers": answers, "refused": refused, "wrong": wrong, "trapped": trapped}


def trap(folder: Path) -> None:
    """A policy, an environment whose interpreter is gone, and a module of a known name: each leads to a program."""
    trace = f"#!/bin/sh\ntouch '{folder}/trace'\n"
    for path in (folder / "evil" / "bin" / "python", folder / "home" / "python3.12"):
        path.parent.mkdir(parents=True)
        path.write_text(trace)
        path.chmod(0o755)
    (folder / "attn-doctor.toml").write_text('target.python = "evil/bin/python"\n')
    (folder / "gone" / "bin").mkdir(parents=True)
    (folder / "gone" / "bin" / "python").symlink_to(folder / "nowhere")
    (folder / "gone" / "pyvenv.cfg").write_text(f"home = {folder / 'home'}\nversion = 3.12.3\n")
    (folder / "typer.py").write_text("open('trace', 'w')\n")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("project")
    trap(folder)
    before = sorted(folder.rglob("*"))
    found = anyio.run(talk, folder)
    return found | {"left": [path for path in sorted(folder.rglob("*")) if path not in before]}


def test_every_tool_only_reads(session: dict[str, Any]) -> None:
    assert {tool.name for tool in session["tools"]} == READS
    for tool in session["tools"]:
        assert tool.annotations.read_only_hint
        assert not tool.annotations.destructive_hint
        assert tool.description
        for given in tool.input_schema.get("properties", {}).values():
            assert given.get("description"), tool.name
    assert session["left"] == [], "nothing was written"


def test_every_answer_is_what_the_command_prints(session: dict[str, Any]) -> None:
    for (name, given, schema), answer in zip(CALLS, session["answers"], strict=True):
        assert not answer.is_error, (name, answer.content)
        if schema is not None:
            shape = json.loads((SCHEMAS / f"{schema}.json").read_text(encoding="utf-8"))
            jsonschema.validate(answer.structured_content, shape, cls=jsonschema.Draft202012Validator)
        assert json.loads(answer.content[0].text) == answer.structured_content, "for clients that read text"
        if name == "check":
            assert answer.structured_content == imagined.judged(*given["machine"], need=("causal",))
    by_name = {call[0]: answer.structured_content for call, answer in zip(CALLS, session["answers"], strict=True)}
    assert by_name["explain"]["verdict"] == "failure"
    assert "AD103" in by_name["rule"]["text"]
    assert by_name["resolve"]["word"] == "native"
    assert by_name["install_plan"]["possible"]


def test_no_program_is_run_that_the_project_leads_to(session: dict[str, Any]) -> None:
    """Nothing was left by any of them, as the first test sees; the question is answered all the same."""
    for (name, given), answer in zip(TRAPPED, session["trapped"], strict=True):
        assert not answer.is_error, (name, given, answer.content)
        if name == "check":
            (gone,) = [one for one in answer.structured_content["findings"] if one["code"] == "AD319"] or [None]
            assert (gone is not None) is ("venv" in given)
            assert gone is None or "no other Python" not in gone["detail"], "nobody looked"


def test_what_changes_runs_or_writes_is_refused(session: dict[str, Any]) -> None:
    for (name, given), answer in zip(REFUSED, session["refused"], strict=True):
        assert answer.is_error, (name, given)
        assert "Traceback" not in answer.content[0].text


def test_a_wrong_argument_is_a_sentence(session: dict[str, Any]) -> None:
    for (name, given, said), answer in zip(WRONG, session["wrong"], strict=True):
        assert answer.is_error, (name, given)
        assert answer.content[0].text.splitlines() == said
    for tool in session["tools"]:
        assert tool.input_schema["additionalProperties"] is False, "so that a client can know"


def test_the_list_for_people() -> None:
    called = imagined.call("mcp", "--list")
    assert {line.split()[0] for line in called.out.splitlines() if not line.startswith(" ")} == READS
    assert max(map(len, called.out.splitlines())) <= 80


def test_without_the_sdk_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "mcp.py").write_text("raise ModuleNotFoundError(\"No module named 'mcp'\", name='mcp')\n")
    done = subprocess.run(
        [sys.executable, "-m", "attn_doctor", "mcp"],
        env=clean_environment() | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'attn-doctor[mcp]'" in done.stderr
    assert "Traceback" not in done.stderr
