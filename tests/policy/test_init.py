"""`init`: a policy that the machine keeps at once, put into the project's files without touching anything else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import imagined
from attn_doctor.policy import toml
from policy.projects import A100, FLASH_ATTN, NAME, T4, UV_LOCK, breaches

if TYPE_CHECKING:
    from pathlib import Path

    from policy.projects import Project

MACHINE = (A100, "torch=2.8.0", FLASH_ATTN, "driver=580.95.05")


def init(project: Project, *options: str, keys: tuple[str, ...] = MACHINE) -> imagined.Called:
    return project.call("init", "--facts", "-", *options, stdin=imagined.facts(*keys))


def test_it_writes_what_holds_here_and_check_finds_it_kept(project: Project) -> None:
    called = init(project)
    assert called.code == 0
    assert "written to attn-doctor.toml" in called.err
    assert imagined.too_wide(called.err) == imagined.too_wide(called.out) == []
    assert (project.folder / "attn-doctor.toml").read_text() == called.out
    assert toml.loads(called.out) == {
        "schema": 1,
        "require": ["flash_attention_2"],
        "fail-on": "error",
        "gpus": ["NVIDIA A100-SXM4-80GB"],
        "versions": {"torch": ">=2.8", "driver": ">=580", "flash-attn": ">=2.8"},
    }
    assert project.check(*MACHINE).code == 0
    assert project.check(A100, "torch=2.7.1", "driver=580.95.05").code == 1
    for key in ("target", "need", "lock", "wheel-sources"):
        assert f"\n# {key} = " in called.out
    # what is commented out can be taken as it is
    lines = called.out.split("\n# A finding")[1].splitlines()[1:]
    assert toml.loads("\n".join(line.removeprefix("# ") for line in lines))["ignore"]


def test_a_gpu_that_no_table_knows_is_not_demanded(project: Project) -> None:
    """An engineering sample's name could not be judged by simulation."""
    facts = imagined.facts(*MACHINE).replace(b"NVIDIA A100-SXM4-80GB", b"NVIDIA Graphics Device")
    called = project.call("init", "--facts", "-", stdin=facts)
    assert called.code == 0, called.err
    assert "gpus" not in toml.loads(called.out)


@pytest.mark.parametrize(
    "before",
    [
        NAME,
        NAME.rstrip("\n"),
        NAME.replace("\n", "\r\n"),
        "\ufeff" + NAME,
        NAME + "# the end\n\n\n",
        'tool.ruff.line-length = 100\n[project]\nname = "caf\u00e9"\n',
        "",
    ],
)
def test_the_rest_of_pyproject_stays_byte_for_byte(project: Project, before: str) -> None:
    path = project.write("pyproject.toml", before)
    path.chmod(0o640)
    (project.folder / "src").mkdir()
    called = project.call("init", "--facts", "-", stdin=imagined.facts(*MACHINE), at="src")
    assert called.code == 0, called.err
    assert path.read_bytes().startswith(before.encode())
    added = path.read_bytes()[len(before.encode()) :].decode()
    assert added.replace("\r\n", "\n").lstrip("\n") == called.out
    assert (added.count("\r\n") == added.count("\n")) is ("\r\n" in before)
    assert path.stat().st_mode & 0o777 == 0o640
    assert project.check(*MACHINE).code == 0
    assert [one.name for one in project.folder.iterdir() if "attn" in one.name] == []


AROUND = """\
[project]
name = "trains"

[tool.attn-doctor]
require = ["sdpa"] # old

[tool.attn-doctor.versions]
torch = ">=1"

# of ruff
[tool.ruff]
line-length = 100

[[tool.attn-doctor.ignore]]
code = "AD214"
reason = "old"

[tool.mypy]
strict = true
"""


def test_force_replaces_its_own_table_alone(project: Project) -> None:
    path = project.write("pyproject.toml", AROUND)
    refused = init(project)
    assert (refused.code, refused.out) == (2, "")
    assert "there is a policy already: pyproject.toml:4" in refused.err
    assert path.read_text() == AROUND
    called = init(project, "--force")
    assert called.code == 0
    after = path.read_text()
    assert after == (
        '[project]\nname = "trains"\n\n'
        + called.out
        + "\n# of ruff\n[tool.ruff]\nline-length = 100\n\n[tool.mypy]\nstrict = true\n"
    )
    assert init(project, "--force").code == 0
    assert path.read_text() == after


def test_force_replaces_a_file_of_its_own(project: Project) -> None:
    project.write("pyproject.toml", NAME)
    project.write("attn-doctor.toml", "require = []\n")
    assert init(project).code == 2
    called = init(project, "--force")
    assert (project.folder / "attn-doctor.toml").read_text() == called.out
    assert (project.folder / "pyproject.toml").read_text() == NAME


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('tool.attn-doctor.require = ["sdpa"]\n', "cannot be replaced|nothing can be added"),
        ("tool = { x = { y = 1 } }\n", "nothing can be added to"),
        ("[project\n", r"pyproject.toml:1:9: "),
    ],
)
def test_a_file_that_takes_no_table_is_left_as_it_is(project: Project, text: str, said: str) -> None:
    import re

    path = project.write("pyproject.toml", text)
    called = init(project, "--force")
    assert called.code == 2
    assert re.search(said, " ".join(called.err.split())), called.err
    assert path.read_text() == text


@pytest.mark.parametrize("options", [("--dry-run",), ("--output", "there.toml")])
def test_it_can_be_looked_at_first(project: Project, options: tuple[str, ...]) -> None:
    project.write("pyproject.toml", AROUND)
    called = init(project, *options)
    assert called.code == 0
    shown = called.out or (project.folder / "there.toml").read_text()
    assert shown.startswith("[tool.attn-doctor]\n")
    assert (project.folder / "pyproject.toml").read_text() == AROUND


def test_a_target_in_the_project_is_written_down(project: Project, tmp_path: Path) -> None:
    for folder in (project.folder / "env", tmp_path / "elsewhere"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    (project.folder / "src").mkdir()
    project.write("pyproject.toml", NAME)
    inside = project.call("init", "--venv", "../env", "--dry-run", at="src").out
    assert toml.loads(inside)["tool"]["attn-doctor"]["target"] == {"venv": "env"}
    python = project.call("init", "--python", "env/bin/python", "--dry-run").out
    assert toml.loads(python)["tool"]["attn-doctor"]["target"] == {"python": "env/bin/python"}
    outside = project.call("init", "--venv", "../elsewhere")
    assert "target" not in toml.loads(outside.out)["tool"]["attn-doctor"]
    assert "  attn-doctor check --venv ../elsewhere\n" in outside.err


def test_needs_and_a_lock_that_is_there(project: Project) -> None:
    project.write("uv.lock", UV_LOCK)
    written = toml.loads(init(project, "--dry-run", "--need", "dtype=bf16", "--need", "causal").out)
    assert written["need"] == ["dtype=bf16", "causal"]
    assert written["lock"] == "uv.lock"
    # a lock under which a GPU of this machine would not be served is only mentioned
    old = UV_LOCK.replace("2.8.0+cu128", "1.13.1+cu117")
    project.write("uv.lock", old)
    text = init(project, "--dry-run").out
    assert "lock" not in toml.loads(text)
    assert '# lock = "uv.lock"' in text


@pytest.mark.parametrize(
    "keys",
    [
        (),
        ("torch=2.13.0+cpu",),
        (T4, A100, "torch=2.8.0", FLASH_ATTN),
        ("os=macos", "arch=aarch64", "gpu=Apple M2", "torch=2.8.0"),
        ("gpu=AMD Instinct MI300X", "torch=2.9.1+rocm6.4"),
        (A100, "torch=2.8.0a0+34c6371d24.nv25.08", "driver=580.95.05"),
        ("os=windows", "gpu=NVIDIA GeForce RTX 3050", "torch=2.8.0+cu128"),
    ],
)
def test_every_machine_keeps_its_own_policy(project: Project, keys: tuple[str, ...]) -> None:
    assert init(project, keys=keys).code == 0
    report = project.report(*keys)
    assert breaches(report) == {}
    assert project.check(*keys).code == 0


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(project: Project) -> None:
    project.folder.chmod(0o500)
    assert init(project).code == 2


def test_the_schema_is_printed_for_editors(project: Project, tmp_path: Path) -> None:
    called = project.call("init", "--schema")
    assert json.loads(called.out)["title"] == "Policy of attn-doctor"
    assert project.call("init", "--schema", "--output", str(tmp_path / "s.json")).out == ""
    assert json.loads((tmp_path / "s.json").read_text()) == called.json()


# --- what install takes from it


def test_install_takes_wheels_of_the_allowed_sources_alone(project: Project) -> None:
    facts = imagined.facts(A100, "torch=2.8.0")

    def source(*options: str) -> str:
        plan = project.call("install", "fa2", "--dry-run", "--facts", "-", "--format", "json", *options, stdin=facts)
        return str((plan.json()["wheel"] or {}).get("source"))

    assert source() == "fa-official"
    project.policy('wheel-sources = ["mjun0812"]\n')
    assert source() == "mjun0812"
    assert source("--source", "fa-official") == "fa-official"
    assert source("--no-policy") == "fa-official"
    project.policy('wheel-sources = ["windreamer"]\n')  # it has none of flash-attn 2
    assert source() == "None"
    project.policy('need = ["dtype=fp8"]\n')
    plan = project.call("install", "fa2", "--dry-run", "--facts", "-", stdin=facts)
    assert plan.code == 1
    assert "fp8" in plan.out
