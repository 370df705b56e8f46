"""The words of other tools: uv reads its own without a complaint, and they name what the plan installs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plan.cases import A100, NO_WHEEL, plan
from support import clean_environment

UV = os.path.join(os.path.dirname(sys.executable), "uv")
PROJECT = '[project]\nname = "x"\nversion = "0"\nrequires-python = ">=3.10"\n'


def words(one: object, tool: str) -> str:
    return "\n".join(next(said.lines for said in one.words if said.tool == tool)) + "\n"  # type: ignore[attr-defined]


def complaints(folder: Path, text: str) -> str:
    """What uv says of its settings in a pyproject.toml."""
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    command = [UV, "cache", "dir", "--project", str(folder), "--no-progress"]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), cwd=folder, check=False)
    return done.stderr


def merged(text: str) -> str:
    return PROJECT + text.replace("[project]\n", "")


@pytest.mark.skipif(not os.path.exists(UV), reason="uv is not installed")
@pytest.mark.parametrize("tool", ["uv", "uv without isolation"])
def test_uv_reads_the_settings_of_a_build(tmp_path: Path, tool: str) -> None:
    text = merged(words(plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0"), tool))
    assert complaints(tmp_path, text) == ""
    assert "unknown field" in complaints(
        tmp_path, text.replace("[tool.uv]", "[tool.uv]\nno-build-isolation-packages = []")
    )


@pytest.mark.skipif(not os.path.exists(UV), reason="uv is not installed")
def test_uv_reads_the_direct_url(tmp_path: Path) -> None:
    one = plan("flash_attention_2", *A100)
    assert one.wheel
    text = words(one, "uv")
    assert str(one.wheel.url) in text
    assert complaints(tmp_path, merged(text)) == ""


def test_every_tool_is_served() -> None:
    wheel, build = plan("flash_attention_2", *A100), plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0")
    for one in (wheel, build):
        assert {"pip", "uv", "poetry", "pixi", "conda"} <= {said.tool for said in one.words}
    for said in wheel.words:
        assert any(str(wheel.wheel and wheel.wheel.url) in line for line in said.lines), said
    for tool in ("pip", "poetry", "conda"):
        assert "--no-build-isolation" in words(build, tool)
        assert f'MAX_JOBS="{build.build and build.build.max_jobs}"' in words(build, tool)


def test_nothing_where_nothing_is_installed() -> None:
    assert plan("sdpa", *A100).words == ()
