"""Whose policy it is: what stands above a folder of no repository, and what another user wrote."""

from __future__ import annotations

import ntpath
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import imagined
from attn_doctor.cli import _report
from attn_doctor.judgement.report import Finding, Location
from attn_doctor.policy import find
from policy.projects import Project

if TYPE_CHECKING:
    from collections.abc import Callable

AS_ROOT = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
STRANGER = 12345


@pytest.fixture
def trap(tmp_path: Path) -> Callable[[Path], Path]:
    """A policy in a folder whose interpreter leaves a trace when it is run; the file of the policy."""

    def make(folder: Path) -> Path:
        program = folder / "python"
        program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/trace'\n")
        program.chmod(0o755)
        policy = folder / "attn-doctor.toml"
        policy.write_text('target.python = "python"\n')
        return policy

    return make


def test_above_a_folder_of_no_repository_nothing_holds(tmp_path: Path, trap: Callable[[Path], Path]) -> None:
    trap(tmp_path)
    mine = tmp_path / "mine"
    mine.mkdir()
    assert [*find.found(str(mine))] == []
    assert [one.name for one in find.found(str(tmp_path))] != []
    project = Project(tmp_path / "other")
    (project.folder / ".git").rmdir()
    for command in (("check",), ("facts",), ("resolve",)):
        assert project.call(*command).code in (0, 1), command
    assert not (tmp_path / "trace").exists()
    (project.folder / ".git").mkdir()
    (tmp_path / ".git").mkdir()
    (project.folder / ".git").rmdir()
    assert project.call("facts").code == 2, "in one repository it holds, and that program is no Python"
    assert (tmp_path / "trace").exists()


@AS_ROOT
@pytest.mark.parametrize("link", [False, True])
def test_what_another_user_names_is_not_run(
    project: Project, tmp_path: Path, trap: Callable[[Path], Path], link: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = trap(project.folder)
    if link:  # of the stranger's making, to a file of ours
        ours = policy.rename(tmp_path / "ours.toml")
        policy.symlink_to(ours)
    os.chown(policy, STRANGER, STRANGER, follow_symlinks=False)
    monkeypatch.delenv("SUDO_UID", raising=False)
    for command in ("check", "facts", "resolve", "repair"):
        called = project.call(command)
        assert (called.code, called.out) == (2, ""), called
        said = " ".join(called.err.split())
        assert "attn-doctor.toml:1:8: target.python: this file belongs to another user" in said, said
        assert imagined.too_wide(called.err) == []
    assert not (tmp_path / "trace").exists()
    # what runs nothing holds, and whoever called sudo may name what runs
    assert project.check("torch=2.8.0", options=("--format", "json")).json()["policy"]["file"] == "attn-doctor.toml"
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    assert "does not answer" in project.call("facts").err
    assert (tmp_path / "trace").exists()


@AS_ROOT
def test_a_file_that_is_named_is_trusted(project: Project, tmp_path: Path, trap: Callable[[Path], Path]) -> None:
    policy = trap(project.folder)
    os.chown(policy, STRANGER, STRANGER)
    assert "does not answer" in project.call("check", "--policy", "attn-doctor.toml").err
    assert (tmp_path / "trace").exists()


def test_a_finding_on_another_drive_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Windows counts paths: between two drives there is no way."""
    finding = Finding(
        code="AD501",
        severity="error",
        title="x",
        detail="y",
        evidence=(),
        fix=(),
        docs="",
        location=Location("D:\\work\\pyproject.toml", 3),
    )
    with monkeypatch.context() as windows:
        windows.setattr(os, "path", ntpath)
        assert _report._rooted(finding, "C:\\work") == finding
        near = _report._rooted(finding, "D:\\work")
    assert near.location == Location("pyproject.toml", 3)
