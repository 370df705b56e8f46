"""What becomes of a compiled wheel where a step after the build fails: real pip, real wheels."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from attn_doctor.execute.running import StepFailed
from attn_doctor.execute.supervise import kept_wheel
from attn_doctor.execute.supervise.runner import TAKEN, Runner
from attn_doctor.plan.plan import Step
from execute.supervise import extension
from execute.supervise.extension import GXX, NINJA
from plan.shop import make_wheel
from support import clean_environment

PIP = (sys.executable, "-m", "pip", "install", "--no-deps", "--no-index")
NOWHERE = ("--index-url", "http://127.0.0.1:9/simple/", "--retries", "0", "--timeout", "2")


def failed(runner: Runner, step: Step) -> None:
    with pytest.raises(StepFailed):
        runner(step, lambda _: None, clean_environment())


def of(kind: str, *command: str, name: str = "") -> Step:
    return Step(id=name or kind, title="t", kind=kind, command=command)  # type: ignore[arg-type]


def wrong(folder: Path, name: str = "proj-1.0-cp27-cp27m-win32.whl") -> Path:
    """A kept wheel, which pip does not take here."""
    folder.mkdir()
    wheel = make_wheel(folder, name, {"proj.py": ""})
    kept_wheel.keep(str(folder))
    assert kept_wheel.find(str(folder)) == str(wheel)
    return wheel


def taken(wheel: Path) -> Runner:
    """A runner that looked at a wheel of an earlier build."""
    runner = Runner(lambda _: None)
    runner(of("check", sys.executable, "-c", "", str(wheel), "0" * 64, name=TAKEN), lambda _: None, clean_environment())
    return runner


@pytest.mark.skipif(not NINJA or not GXX or sys.platform != "linux", reason="ninja and g++ are not here")
def test_an_unrelated_step_that_fails_after_the_build_costs_nothing(tmp_path: Path) -> None:
    """No network for the step "beside", no place to install to: the wheel is good. One that does not load is not."""
    project = extension.make(tmp_path / "builds" / "proj", tmp_path / "calls", units=1)
    wheels = tmp_path / "wheels"
    runner = Runner(lambda _: None)
    runner(extension.step(project, wheels), lambda _: None, clean_environment())
    assert kept_wheel.find(str(wheels))
    install = (*PIP, "--find-links", str(wheels))
    in_the_way = tmp_path / "a file"
    in_the_way.write_text("")
    failed(runner, of("install", *PIP[:4], "--no-deps", *NOWHERE, "flash-attn-4==4.0.0b36", name="beside"))
    failed(runner, of("install", *install, "--target", str(in_the_way / "below"), "slow_ext"))
    assert kept_wheel.find(str(wheels)), "nothing of this was said of the wheel"
    failed(runner, of("verify", sys.executable, "-c", "raise SystemExit('undefined symbol')"))
    assert kept_wheel.find(str(wheels)) is None


def test_a_wheel_that_pip_refuses_is_not_offered_again(tmp_path: Path) -> None:
    wheel = wrong(tmp_path / "kept")
    failed(taken(wheel), of("install", *PIP, str(wheel)))
    assert kept_wheel.find(str(wheel.parent)) is None


def test_a_wheel_that_cannot_be_written_is_offered_again(tmp_path: Path) -> None:
    wheel = wrong(tmp_path / "kept", "proj-1.0-py3-none-any.whl")
    in_the_way = tmp_path / "a file"
    in_the_way.write_text("")
    runner = taken(wheel)
    failed(runner, of("install", *PIP, "--target", os.fspath(in_the_way / "below"), str(wheel)))
    failed(runner, of("install", *PIP[:4], "--no-deps", *NOWHERE, "flash-attn-4==4.0.0b36", name="beside"))
    assert kept_wheel.find(str(wheel.parent)) == str(wheel)
