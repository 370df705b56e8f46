"""A composite action run as the runner runs it: its steps in order, in bash, with the files and variables they get."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from reporters.runner import Command, commands
from support import clean_environment

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github" / "actions" / "attn-doctor"
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


class Done(NamedTuple):
    code: int
    said: str
    outputs: dict[str, str]
    summary: str

    @property
    def commands(self) -> list[Command]:
        return commands(self.said)


def load(file: Path) -> Any:
    return YAML(typ="safe").load(file.read_text(encoding="utf-8"))


def run(temp: Path, workspace: Path, env: dict[str, str] | None = None, **inputs: str) -> Done:
    """The steps that are shell; a step that uses another action is passed over."""
    action = load(ACTION / "action.yml")
    values = {name: str(one.get("default", "")) for name, one in action["inputs"].items()}
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    assert given.keys() <= values.keys()
    values |= given
    steps: dict[str, dict[str, str]] = {}
    said, code = "", 0
    summary = temp / "summary.md"
    summary.touch()

    def filled(text: str) -> str:
        def value(found: re.Match[str]) -> str:
            kind, *path = found[1].split(".")
            return values[path[0]] if kind == "inputs" else steps[path[0]].get(path[2], "")

        return EXPRESSION.sub(value, text)

    for number, step in enumerate(action["runs"]["steps"]):
        if "run" not in step or code:
            continue
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "an input in a script is a way in"
        output = temp / f"output-{number}"
        output.touch()
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=workspace / filled(step.get("working-directory", ".")),
            env=clean_environment()
            | {
                "GITHUB_ACTIONS": "true",
                "CI": "true",
                "GITHUB_ACTION_PATH": str(ACTION),
                "GITHUB_WORKSPACE": str(workspace),
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(summary),
                "RUNNER_TEMP": str(temp / "runner temp"),
            }
            | (env or {})
            | {name: filled(text) for name, text in step.get("env", {}).items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=False,
        )
        code = done.returncode
        said += done.stdout.decode()
        lines = output.read_text(encoding="utf-8").splitlines()
        steps[step["id"]] = dict(line.split("=", 1) for line in lines)
    outputs = {name: filled(one["value"]) for name, one in action["outputs"].items() if "check" in steps}
    return Done(code, said, outputs, summary.read_text(encoding="utf-8"))


def installed(temp: Path, command: Path) -> None:
    """As if the first step had run before: its folder with the command that is tested here."""
    folder = temp / "runner temp" / "attn-doctor"
    (folder / "bin").mkdir(parents=True)
    os.symlink(command, folder / "bin" / "attn-doctor")
    (folder / "for.txt").write_text("attn-doctor", encoding="utf-8")
