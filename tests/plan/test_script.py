"""Scripts: they pass shellcheck, stop on the first error, put back what was kept, and do what the plan says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from attn_doctor.plan.plan import Plan, Step
from attn_doctor.reporters import _plan, _script
from plan.cases import A100, LAPTOP, MACHINES, NO_WHEEL, plan

SHELLCHECK = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
SHELLS = [shell for shell in ("/bin/sh", "/bin/bash", "/bin/dash") if Path(shell).exists()]
posix = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")


def checked(text: str, severity: str = "style") -> str:
    assert SHELLCHECK, "shellcheck is not installed: make dev"
    done = subprocess.run(
        [SHELLCHECK, "--shell=sh", f"--severity={severity}", "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def of_steps(*steps: Step, folder: str | None = None) -> Plan:
    return Plan(
        backend="flash_attention_2", method="wheel", package="x", version="1", title="t", steps=steps, folder=folder
    )


def step(name: str, *command: str, **more: object) -> Step:
    return Step(id=name, title=name, kind="run", command=command, **more)  # type: ignore[arg-type]


@posix
@pytest.mark.parametrize(
    "one",
    [
        plan("flash_attention_2", *A100),
        plan("flash_attention_2", *LAPTOP, trust="upstream"),
        plan("flash_attention_2", *NO_WHEEL),
        plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0"),
        plan("flash_attention_4", *A100),
        plan("sage_attention", *A100),
        plan("flash_attention_2", "gpu=Tesla T4", "torch=2.8.0+cu128"),
        plan("sdpa", *A100),
        plan("sdpa"),
    ],
    ids=lambda one: f"{one.backend}-{one.method}-{len(one.steps)}",
)
def test_shellcheck_finds_nothing(one: Plan) -> None:
    assert checked(_script.script(one)) == ""


@posix
def test_shellcheck_would_find_something() -> None:
    assert "SC2086" in checked("#!/bin/sh\nset -eu\na='x y'\nls $a\n")


@posix
@pytest.mark.parametrize("name", sorted(MACHINES)[::4])
def test_shellcheck_on_machines(name: str) -> None:
    one = plan("flash_attention_2", *MACHINES[name]["simulate"])
    assert checked(_script.script(one)) == ""


@posix
@pytest.mark.parametrize("shell", SHELLS)
def test_it_stops_at_the_first_error_and_puts_back_in_reverse(tmp_path: Path, shell: str) -> None:
    log = tmp_path / "log"
    one = of_steps(
        step("one", "sh", "-c", f"echo one >> '{log}'", undo=f"echo undo one >> '{log}'"),
        step("two", "sh", "-c", f"echo two >> '{log}'", undo=f"echo undo two >> '{log}'"),
        step("three", "false", undo=f"echo undo three >> '{log}'"),
        step("four", "sh", "-c", f"echo four >> '{log}'"),
    )
    done = subprocess.run([shell], input=_script.script(one), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert log.read_text().split("\n")[:-1] == ["one", "two", "undo two", "undo one"]
    assert "3/4 three" in done.stderr
    assert done.stdout == ""


@posix
def test_it_is_put_back_after_an_interruption(tmp_path: Path) -> None:
    log = tmp_path / "log"
    one = of_steps(
        step("one", "touch", str(log), undo=f"rm '{log}'"),
        step("two", "sh", "-c", 'kill -INT "$PPID"; sleep 0.3'),
        step("three", "touch", str(tmp_path / "never")),
    )
    done = subprocess.run(["/bin/sh"], input=_script.script(one), capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert not log.exists()
    assert not (tmp_path / "never").exists()


@posix
def test_names_that_a_shell_would_take_apart(tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s a $HOME; `folder` "é"'
    made = str(odd / "file name")
    one = of_steps(step("make", "touch", made, env={"A": "b c$d"}, output=str(odd / "out put")), folder=str(odd))
    text = _script.script(one)
    assert checked(text, "warning") == ""  # that a $ in single quotes stays one is what is wanted here
    subprocess.run(["/bin/sh"], input=text, text=True, check=True, capture_output=True)
    assert Path(made).exists()
    assert (odd / "out put").exists()


@posix
def test_a_path_goes_in_front_of_the_one_there_is() -> None:
    one = of_steps(step("show", "printenv", "PATH", env={"PATH": "/a b/bin"}))
    done = subprocess.run(
        ["/bin/sh"],
        input=_script.script(one),
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "/a b/bin:/usr/bin:/bin"


@posix
def test_root_is_asked_for_before_a_step_that_needs_it() -> None:
    text = _script.script(of_steps(step("apt", "true", needs_root=True)))
    assert "this step needs root" in text
    assert checked(text) == ""


@posix
def test_a_plan_that_cannot_be_carried_out_says_so_and_fails() -> None:
    one = plan("flash_attention_2", "gpu=Tesla T4", "torch=2.8.0+cu128")
    done = subprocess.run(["/bin/sh"], input=_script.script(one), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs capability 8.0" in done.stderr


def test_nothing_is_left_out_of_the_script() -> None:
    one = plan("flash_attention_2", *NO_WHEEL)
    text = _script.script(one)
    places = [text.index(_plan.command(step)) for step in one.steps]
    assert places == sorted(places)


@posix
def test_without_attn_doctor_on_the_path_nothing_is_touched(tmp_path: Path) -> None:
    one = of_steps(step("touch", "touch", str(tmp_path / "x")), step("verify", "attn-doctor", "check"))
    done = subprocess.run(
        ["/bin/sh"],
        input=_script.script(one),
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "not on PATH" in done.stderr
    assert not (tmp_path / "x").exists()
