"""The steps of a plan that compile, carried out by real pip as the plan has them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from attn_doctor.execute.supervise import build
from attn_doctor.knowledge import attention
from attn_doctor.plan.plan import Plan, Step
from attn_doctor.reporters import _script
from execute.supervise import extension
from execute.supervise.extension import GXX, NINJA, UNITS, compiled
from plan.cases import NO_WHEEL, plan
from support import clean_environment

pytestmark = [
    pytest.mark.skipif(not NINJA or not GXX, reason="ninja and g++ are not here"),
    pytest.mark.skipif(sys.platform != "linux", reason="builds are supervised on Linux"),
]
VERSION = attention.source_build("flash-attn", "2").version
COMPILING = ("sources", "unpack", "build", "install")


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def shelf(tmp_path: Path, calls: Path) -> dict[str, str]:
    """Variables under which pip finds a flash-attn of a dozen small files, and installs into a folder."""
    project = extension.make(tmp_path / "upstream", calls, named=("flash_attn", VERSION))
    extension.archive(project, tmp_path / "shelf", f"flash_attn-{VERSION}")
    more = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "shelf"), "PIP_TARGET": str(tmp_path / "target")}
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    return {**clean_environment(), **more, "PATH": path}


def steps(one: Plan) -> list[Step]:
    return [step for step in one.steps if step.id in COMPILING]


def imagined() -> Plan:
    return plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0", "cores=2")


def test_as_they_stand(tmp_path: Path, calls: Path, shelf: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        for step in steps(imagined()):
            if step.kind == "build":
                build.run(step, lambda _: None, shelf)
            else:
                subprocess.run(step.command, env=shelf | step.env, check=True, capture_output=True)
    assert len(list((tmp_path / "target/flash_attn").glob("*.o"))) == UNITS
    assert set(compiled(calls).values()) == {1}, "the second time the kept wheel serves"
    assert not list((tmp_path / "attn-doctor-files/builds").iterdir()), "its objects are done with"


def test_a_script_does_the_same(tmp_path: Path, calls: Path, shelf: dict[str, str]) -> None:
    from msgspec.structs import replace

    one = imagined()
    text = _script.script(replace(one, steps=tuple(steps(one))))
    for _ in range(2):
        subprocess.run(["/bin/sh"], input=text, text=True, env=shelf, cwd=tmp_path, check=True, capture_output=True)
    assert len(list((tmp_path / "target/flash_attn").glob("*.o"))) == UNITS
    assert set(compiled(calls).values()) == {1}, "the second time ninja finds every object done"


def test_half_unpacked_sources_are_unpacked_again(tmp_path: Path, shelf: dict[str, str]) -> None:
    fetch, unpack, *_ = steps(imagined())
    here = tmp_path / unpack.command[-1]
    (here.parent / f"{here.name}.part/half").mkdir(parents=True)
    for step in (fetch, unpack, unpack):
        subprocess.run(step.command, env=shelf, cwd=tmp_path, check=True, capture_output=True)
    assert (here / "pyproject.toml").exists()
    assert [path.name for path in here.parent.iterdir()] == [here.name]
