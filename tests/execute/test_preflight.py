"""What is looked at before the first step of a build: a ninja that is there and does not run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from attn_doctor.execute import preflight
from plan.cases import NO_WHEEL, plan

if TYPE_CHECKING:
    from attn_doctor.plan.plan import Plan

pytestmark = pytest.mark.skipif(os.name != "posix", reason="programs are made of shell")


def ninja(folder: Path, line: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "ninja").write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    (folder / "ninja").chmod(0o755)


def compiling(*keys: str) -> Plan:
    """The steps that matter, with a python that is no program here."""
    one = plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0", *keys)
    assert one.build
    return replace(one, steps=tuple(step for step in one.steps if step.id in ("build", "needs", "install")))


def said(one: Plan) -> list[str]:
    return [obstacle for obstacle in preflight.obstacles(one, None) if "ninja" in obstacle]


def test_one_that_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    one = compiling("ninja=true")
    one = replace(one, steps=tuple(step for step in one.steps if step.id != "needs"))
    ninja(tmp_path, "exit 1")
    (obstacle,) = said(one)
    assert "does not run" in obstacle
    assert obstacle.endswith("bring one with python -m pip install ninja")
    ninja(tmp_path, "exec nowhere")
    assert said(one)
    ninja(tmp_path, "echo 1.11.1")
    assert said(one) == []


def test_the_target_s_own_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The PATH of the step goes in front, as it does in the build."""
    ninja(tmp_path, "exit 1")
    ninja(tmp_path / "bin", "echo 1.11.1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    one = compiling("ninja=true")
    own = tuple(
        replace(step, env={**step.env, "PATH": str(tmp_path / "bin")}) for step in one.steps if step.id == "build"
    )
    assert said(replace(one, steps=own)) == []


def test_where_the_plan_brings_one_it_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ninja(tmp_path, "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    one = compiling("ninja=false")
    kinds = ["ninja" in step.command for step in one.steps]
    assert kinds.index(True) < [step.kind for step in one.steps].index("build")
    assert said(one) == []
