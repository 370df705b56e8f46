"""What packages of a Python that holds more have put into share, include, etc and bin: kept, and put back too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attn_doctor.errors import NotDone
from attn_doctor.execute import outside, recover
from attn_doctor.execute.carry_out import carry_out
from attn_doctor.plan import steps
from attn_doctor.plan.plan import Plan, Step
from execute import workshop as made_here
from plan.shop import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from attn_doctor.execute.change import Change

MINOR = f"python{sys.version_info[0]}.{sys.version_info[1]}"
# pip, ended by SIGKILL when it is about to write that file
KILLED = """
import os, signal, sys
def hear(event, given):
    if event == "open" and str(given[0]).endswith("{name}") and (given[2] or 0) & os.O_WRONLY:
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hear)
from pip._internal.cli.main import main
main(sys.argv[1:])
"""
DATA = "triton-{0}.data"
OLD = "triton-3.3.0-" + made_here.TRITON.split("-", 2)[2]


def brings(version: str, *more: str) -> dict[str, str]:
    """What a wheel has for outside: each file says which version it is of."""
    own = DATA.format(version)
    names = ("data/share/triton/note.txt", "data/etc/triton.conf", "headers/triton.h", "scripts/triton-run", *more)
    return {f"{own}/{name}": f"#!/bin/sh\n# of {version}\n" for name in names}


class Nobody:
    """Listens, and says nothing."""

    def step(self, number: int, count: int, step: Step) -> None:
        pass

    def output(self, data: bytes) -> None:
        pass

    def putting_back(self, why: str) -> None:
        pass


@pytest.fixture
def system(environments: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python that holds more than packages, with an older Triton that has put its files there."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = made_here.copied(environments("system"), tmp_path / "with blanks")
    old = make_wheel(tmp_path, OLD, {"triton/__init__.py": "", **brings("3.3.0", "data/share/triton/old.txt")})
    ran = subprocess.run(pip(root, old), capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (root / f"include/{MINOR}/triton/triton.h").exists()
    (root / "share/triton/of somebody else").write_text("stays\n", encoding="utf-8")
    return root


def pip(root: Path, wheel: Path) -> tuple[str, ...]:
    return (str(root / "bin/python"), "-m", "pip", "install", "--no-deps", "--no-index", str(wheel))


def site(root: Path) -> str:
    return str(root / "lib" / MINOR / "site-packages")


def upgrade(root: Path, wheel: Path, *after: str) -> Change:
    """As a plan does it: the folder of packages is kept, the wheel installed; what comes `after` may fail."""
    keeping = (str(root / "bin/python"), "-c", steps.KEEP, site(root), f"{site(root)}.before-1a2b3c4d")
    commands = {"keep": keeping, "install": pip(root, wheel), **({"run": after} if after else {})}
    made = tuple(Step(id=kind, title=kind, kind=kind, command=command) for kind, command in commands.items())  # type: ignore[arg-type]
    plan = Plan(backend="triton", method="wheel", package="triton", version="3.4.0", title="by hand", steps=made)
    return carry_out(plan, site(root), Nobody())


def as_it_is(root: Path) -> dict[str, str]:
    """Without the copies."""
    for folder in Path(site(root)).parent.glob("site-packages.*"):
        shutil.rmtree(folder)
    return made_here.fingerprint(root)


def newer(folder: Path, *more: str, **files: str) -> Path:
    brought = brings("3.4.0", "data/share/new/new.txt", "data/opt/deep/new.txt", *more)
    return made_here.triton(folder, files=2, extra=brought | files)


def test_an_upgrade_and_its_rollback(system: Path, tmp_path: Path) -> None:
    before = made_here.fingerprint(system)
    change = upgrade(system, newer(tmp_path))
    assert "of 3.4.0" in (system / "share/triton/note.txt").read_text(encoding="utf-8")
    assert not (system / "share/triton/old.txt").exists()
    assert (system / "opt/deep/new.txt").exists()
    change = recover.roll_back(recover.choose(site(system), None))
    assert change.state == "rolled back"
    assert as_it_is(system) == before
    assert (Path(change.folder) / "outside-after/opt/deep/new.txt").exists(), "what was there is kept too"


def test_a_step_that_fails_after_it(system: Path, tmp_path: Path) -> None:
    before = made_here.fingerprint(system)
    with pytest.raises(NotDone):
        upgrade(system, newer(tmp_path), "false")
    assert as_it_is(system) == before


def test_an_installer_that_fails_half_way(system: Path, tmp_path: Path) -> None:
    """Ended by a folder where its last file is to go: no record was written to its end."""
    (system / "share/zlast").mkdir()
    before = made_here.fingerprint(system)
    with pytest.raises(NotDone):
        upgrade(system, newer(tmp_path, **{f"{DATA.format('3.4.0')}/data/share/zlast": "in the way\n"}))
    assert as_it_is(system) == before


def test_an_installer_that_is_killed(system: Path, tmp_path: Path) -> None:
    """pip itself has no time to put anything back: it is ended before the last of its files."""
    before = made_here.fingerprint(system)
    wheel = newer(tmp_path)
    killed = KILLED.format(name="etc/triton.conf")
    keeping = (str(system / "bin/python"), "-c", steps.KEEP, site(system), f"{site(system)}.before-1a2b3c4d")
    words = (str(system / "bin/python"), "-c", killed, "install", "--no-deps", "--no-index", str(wheel))
    made = (
        Step(id="keep", title="keep", kind="keep", command=keeping),
        Step(id="install", title="install", kind="install", command=words),
    )
    plan = Plan(backend="triton", method="wheel", package="triton", version="3.4.0", title="by hand", steps=made)
    with pytest.raises(NotDone, match="SIGKILL"):
        carry_out(plan, site(system), Nobody())
    assert as_it_is(system) == before


def test_what_a_record_says(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.12/site-packages"
    for name, rows in {
        "one-1.0.dist-info/RECORD": (
            "one/__init__.py,sha256=x,1\n../../../share/one.txt,sha256=x,1\n"
            '"../../../share/a, b.txt",sha256=x,1\n../../../share/gone.txt,,\n../../../../beyond.txt,,\n'
            f"{tmp_path}/etc/one.conf,,\n../../../share,,\none-1.0.dist-info/RECORD,,\n"
        ),
        "two-2.0.dist-info/RECORD": "".join(
            f"two-2.0.data/{one},,\n" for one in ("scripts/two", "headers/two.h", "x/y")
        ),
        "three.egg-info/installed-files.txt": "../three/__init__.py\n../../../../share/three.txt\n",
        "four-4.0.dist-info/METADATA": "Name: four\n",
    }.items():
        (site / name).parent.mkdir(parents=True)
        (site / name).write_text(rows, encoding="utf-8")
    there = ["share/one.txt", "share/a, b.txt", "etc/one.conf", "bin/two", "include/python3.12/two/two.h"]
    there += ["share/three.txt"]
    for name in (*there, "share/nobody's.txt", "../beyond.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    assert outside.listed(str(site), str(site)) == set(there)


def test_of_an_environment_nothing_lies_outside(tmp_path: Path) -> None:
    outside.keep(str(tmp_path / "venv"), str(tmp_path))
    assert list(tmp_path.iterdir()) == []
