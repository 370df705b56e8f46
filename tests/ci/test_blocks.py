"""The blocks of docs/ci.md, as they would be pasted: read by those who know their kind, and run where they can be."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dockerfile
import pytest
from ruamel.yaml import YAML

from attn_doctor.cli import COMMANDS
from ci.actions import ACTION, ROOT, load
from imagined import call
from support import clean_environment

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
BIN = Path(sys.executable).parent
HOOK = load(ROOT / ".pre-commit-hooks.yaml")[0]


def blocks(heading: str, kind: str) -> list[str]:
    _, _, section = PAGE.partition(f"\n## {heading}\n")
    section = section.partition("\n## ")[0]
    return [found["body"] for found in BLOCK.finditer(section) if found["kind"] == kind]


def yaml(text: str) -> Any:
    return YAML(typ="safe").load(text)


def validated(schema: str, text: str, tmp_path: Path) -> Any:
    file = tmp_path / "block.yml"
    file.write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, file], check=True, timeout=60)
    return yaml(text)


def test_the_workflows_of_github(tmp_path: Path) -> None:
    with_action, without = (validated("vendor.github-workflows", text, tmp_path) for text in blocks("GitHub", "yaml"))
    (step,) = [one for one in with_action["jobs"]["attn-doctor"]["steps"] if "/attn-doctor/" in one.get("uses", "")]
    assert step["uses"].endswith(f"{ACTION.relative_to(ROOT).as_posix()}@v0.1.0")
    assert step["with"].keys() <= load(ACTION / "action.yml")["inputs"].keys()
    assert "--format github" in without["jobs"]["attn-doctor"]["steps"][-1]["run"]


def test_the_job_of_gitlab(tmp_path: Path) -> None:
    (text,) = blocks("GitLab", "yaml")
    job = validated("vendor.gitlab-ci", text, tmp_path)["attn-doctor"]
    written = {word for line in job["script"] for word in re.findall(r"--output (\S+)", line)}
    assert written == set(job["artifacts"]["reports"].values())
    assert "|| true" not in job["script"][-1]


def test_the_hook_of_pre_commit() -> None:
    (text,) = blocks("pre-commit", "yaml")
    (repository,) = yaml(text)["repos"]
    assert [one["id"] for one in repository["hooks"]] == [HOOK["id"]]
    assert HOOK["entry"] == "attn-doctor check"
    assert HOOK["language"] == "python"
    changed = re.compile(HOOK["files"])
    for file in ("pyproject.toml", "sub/attn-doctor.toml", "requirements-dev.txt", "uv.lock", "pylock.gpu.toml"):
        assert changed.search(file), file
    for file in ("src/train.py", "README.md", "my-pyproject.toml", "uv.lock.bak"):
        assert not changed.search(file), file


def test_the_image() -> None:
    (text,) = blocks("Containers", "dockerfile")
    commands = [one.cmd.upper() for one in dockerfile.parse_string(text)]
    assert commands.count("HEALTHCHECK") == 1
    done = subprocess.run([BIN / "hadolint", "-"], input=text.encode(), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.decode()) == (0, "")


def test_the_pod() -> None:
    (text,) = blocks("Kubernetes", "yaml")
    pod = yaml(text)
    assert (pod["kind"], pod["spec"]["restartPolicy"]) == ("Pod", "Never")
    assert pod["spec"]["containers"][0]["livenessProbe"]["exec"]["command"][1] == "check"


def scripts() -> list[str]:
    return [*blocks("Any other CI", "sh"), *blocks("Slurm", "sh")]


def test_there_are_scripts() -> None:
    assert len(scripts()) == 4


@pytest.mark.parametrize("text", scripts())
def test_a_script_is_clean(text: str) -> None:
    shell = () if text.startswith("#!") else ("--shell=sh",)
    done = subprocess.run(
        [BIN / "shellcheck", "--exclude=SC2181", *shell, "-"],
        input=text.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()


def lines() -> Iterator[list[str]]:
    """Every call of attn-doctor on the page."""
    text = PAGE.replace("\\\n", " ")
    for found in re.finditer(r"(?:^|[\s\[/])attn-doctor(?:,)? (check|resolve)\b([^\n|]*)", text, re.MULTILINE):
        words = re.sub(r"[\[\],]|2>/dev/null|`.*", " ", found[2]).split()
        yield [found[1], *(word.strip('"') for word in words)]


def test_every_call_takes_options_that_there_are() -> None:
    found = list(lines())
    assert len(found) >= 12
    for command, *words in found:
        assert command in COMMANDS
        help_text = call(command, "--help").out
        for word in words:
            if word.startswith("--"):
                assert word in help_text, (command, word)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the scripts call: attn-doctor of this checkout, and a Slurm that only runs what it is given."""
    folder = tmp_path_factory.mktemp("tools")
    for name, text in {
        "srun": '#!/bin/sh\nwhile [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n',
        "attn-doctor": f'#!/bin/sh\nexec {sys.executable} -m attn_doctor "$@"\n',
        "python": "#!/bin/sh\necho training\n",
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / ".venv")], check=True, timeout=60)
    return tmp_path


def put_torch_in(project: Path) -> None:
    site = next((project / ".venv").glob("[Ll]ib*/**/site-packages"))
    (site / "torch").mkdir()
    (site / "torch" / "version.py").write_text("__version__ = '2.8.0+cpu'\ncuda = None\nhip = None\n")
    (site / "torch-2.8.0+cpu.dist-info").mkdir()
    (site / "torch-2.8.0+cpu.dist-info" / "METADATA").write_text("Name: torch\nVersion: 2.8.0+cpu\n")


def ran(text: str, project: Path, tools: Path) -> subprocess.CompletedProcess[bytes]:
    """A script of the page with its folders moved here."""
    moved = {"/opt/attn-doctor/bin": tools, "/opt/torch/bin": project / ".venv" / "bin", "/var/log": project}
    for folder, here in moved.items():
        text = text.replace(f"{folder}/", f"{here}/")
    env = clean_environment() | {"PATH": f"{tools}:{os.environ['PATH']}"}
    shell = "bash" if "bash" in text.partition("\n")[0] else "sh"
    return subprocess.run([shell, "-c", text], cwd=project, env=env, capture_output=True, timeout=120, check=False)


def test_the_lines_of_slurm(project: Path, tools: Path) -> None:
    job, task_prolog, prolog = blocks("Slurm", "sh")
    assert ran(job, project, tools).returncode == 1
    assert ran(prolog, project, tools).returncode == 1
    put_torch_in(project)
    done = ran(job, project, tools)
    assert (done.returncode, done.stdout.decode().splitlines()[-1]) == (0, "training")
    done = ran(prolog, project, tools)
    assert (done.returncode, done.stdout) == (0, b"")
    assert (project / "attn-doctor.txt").read_text(encoding="utf-8").startswith("target ")
    done = ran(task_prolog, project, tools)
    exported = dict(line.removeprefix("export ").split("=", 1) for line in done.stdout.decode().splitlines())
    assert exported["ATTN_BACKEND"] == "sdpa"
    # no verdict is no fault of the node
    site = next((project / ".venv").glob("[Ll]ib*/**/site-packages"))
    (site / "torch" / "version.py").write_bytes(b"\xff\xfe")
    assert ran(prolog.replace(" --require sdpa", ""), project, tools).returncode == 0


def test_the_lines_for_any_other_ci(project: Path, tools: Path) -> None:
    (text,) = blocks("Any other CI", "sh")
    text = "\n".join(line for line in text.splitlines() if "-m venv" not in line and "pip install" not in line)
    text = text.replace("/tmp/attn-doctor/bin/", f"{tools}/")
    put_torch_in(project)
    assert ran(text, project, tools).returncode == 0
    assert (project / "attn-doctor.xml").read_text(encoding="utf-8").startswith("<?xml")


def test_the_package_brings_what_the_hook_calls() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'\n{HOOK["entry"].split()[0]} = "attn_doctor.__main__:run"\n' in project
