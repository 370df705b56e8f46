"""A policy that cannot be followed: exit 2, one sentence with file, line and column, nothing on standard output."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import imagined

if TYPE_CHECKING:
    from policy.projects import Project

FILE = Path(__file__).with_name("bad_policies.txt")
CASE = re.compile(r"^=== (?P<name>.*)\n(?P<text>(?:.*\n)*?)>>> (?P<said>.*)$", re.MULTILINE)
# a name, what stands in pyproject.toml, and how the error begins
CASES = {found["name"]: (found["text"], found["said"]) for found in CASE.finditer(FILE.read_text(encoding="utf-8"))}


@pytest.mark.parametrize(("text", "said"), CASES.values(), ids=CASES)
def test_it_is_refused_with_its_place(project: Project, text: str, said: str) -> None:
    project.write("pyproject.toml", text)
    project.write("requirements.txt", "torch==2.8.0\n")
    project.write("other.lock", "")
    called = project.call("check")
    assert (called.code, called.out) == (2, ""), called
    assert "Traceback" not in called.err
    assert " ".join(called.err.split()).startswith(f"attn-doctor: {said}"), called.err
    # the path of a folder made for a test may be longer than a line, and is not broken
    assert [line for line in imagined.too_wide(called.err) if " " in line.strip()] == []


def test_what_is_no_text_is_said_with_its_line(project: Project) -> None:
    (project.folder / "attn-doctor.toml").write_bytes(b'fail-on = "error"\n# \xff\n')
    called = project.call("check")
    assert called.code == 2
    assert "attn-doctor.toml:2:1: this is no UTF-8 text" in called.err


def test_options_that_contradict(project: Project) -> None:
    project.policy('require = ["sdpa"]\n')
    both = project.call("check", "--policy", "pyproject.toml", "--no-policy")
    assert both.code == 2
    assert "contradict each other" in both.err
    ignored = project.check("torch=2.8.0", options=("--ignore", "AD503"))
    assert ignored.code == 2
    assert "--ignore AD503 contradicts 'require' of the policy (pyproject.toml:5)" in " ".join(ignored.err.split())
    for name in ("nowhere.toml", "."):
        assert project.call("check", "--policy", name).code == 2
    project.write("pyproject.toml", "[project]\n")
    none = project.call("check", "--policy", "pyproject.toml")
    assert none.code == 2
    assert "there is no [tool.attn-doctor] in it" in none.err


def test_a_newer_policy_is_said_to_be_newer_and_not_wrong(project: Project) -> None:
    project.policy('schema = 2\nneeds-of-tomorrow = ["x"]\n')
    called = project.call("check")
    assert "Use a newer attn-doctor." in called.err
    assert "unknown key" not in called.err


def test_the_policy_of_another_tool_and_a_broken_pyproject_are_nobody_s_business(project: Project) -> None:
    for text in ("[tool.ruff]\nline-length = 1\n", "name = [broken", '[project]\nname = "attn-doctor"\n'):
        project.write("pyproject.toml", text)
        assert project.check("torch=2.8.0").code == 0
        assert project.report("torch=2.8.0")["policy"] is None
