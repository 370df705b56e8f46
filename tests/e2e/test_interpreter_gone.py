"""Environments whose Python was removed for real: a Python is copied, an environment is made of it, the copy goes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from e2e.conftest import call, make_venv
from execute.workshop import fingerprint
from plan.shop import make_wheel
from support import Ran, clean_environment, run_cli

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="links as Linux has them"),
    pytest.mark.xdist_group("interpreter_gone"),
]

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
NEVER = "3.99"  # no machine has one
BYSTANDER = "bystander-1.0-py3-none-any.whl"


def copied_python(folder: Path) -> Path:
    """A Python that can be deleted: its program and a standard library of its own, file by file a link to ours."""
    library = folder / "lib" / f"python{MINOR}"
    library.mkdir(parents=True)
    (folder / "bin").mkdir()
    shutil.copy2(os.path.realpath(sys.executable), folder / "bin" / f"python{MINOR}")
    for entry in Path(os.__file__).parent.iterdir():
        if entry.name != "site-packages":
            (library / entry.name).symlink_to(entry)
    return folder / "bin" / f"python{MINOR}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with a package in it, of a Python that is gone since."""
    folder = tmp_path_factory.mktemp("gone")
    python = copied_python(folder / "versions" / "one")
    venv = make_venv(folder / "an environment", python=python)
    wheel = make_wheel(folder, BYSTANDER, {"bystander.py": "here = 1\n"})
    call(venv / "bin/python", "-m", "pip", "install", "--quiet", "--no-index", wheel)
    assert call(venv / "bin/python", "-c", "import sys; print(sys.base_prefix)").strip() == str(folder / "versions/one")
    shutil.rmtree(folder / "versions")
    assert not (venv / "bin/python").exists()
    return venv


@pytest.fixture
def gone(made: Path) -> Any:
    """The same for each test: an environment knows its own path, so it is put back there."""
    kept = made.with_name("as it was made")
    if not kept.exists():
        shutil.copytree(made, kept, symlinks=True)
    yield made
    shutil.rmtree(made.with_name("versions"), ignore_errors=True)
    for path in made.parent.glob(f"{made.name}*"):
        shutil.rmtree(path)
    shutil.copytree(kept, made, symlinks=True)


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., Ran]:
    """A HOME with nothing in it, and a PATH on which a shim promises a Python that is not there."""
    shim = tmp_path / "shims" / f"python{MINOR}"
    shim.parent.mkdir()
    shim.write_text(f"#!/bin/sh\necho 'pyenv: python{MINOR}: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    env: dict[str, str | None] = {"HOME": str(tmp_path), "XDG_STATE_HOME": None, "XDG_CACHE_HOME": None}
    env |= {"PATH": f"{shim.parent}:/usr/sbin:/sbin"}

    def call(*arguments: object) -> Ran:
        return run_cli(*arguments, env=env, cwd=tmp_path)

    return call


def home_of(venv: Path) -> str:
    """Which Python it stands on, as it says itself."""
    return call(venv / "bin/python", "-c", "import bystander, sys; print(sys.base_prefix)").strip()


def codes(ran: Ran) -> set[str]:
    return {one["code"] for one in ran.json()["findings"]}


def test_the_python_beside_the_one_that_is_gone_takes_its_place(gone: Path, cli: Callable[..., Ran]) -> None:
    """An upgrade: versions/one went when versions/two came."""
    two = copied_python(gone.parent / "versions" / "two")
    before = fingerprint(gone)
    assert "AD319" in codes(cli("check", "--venv", gone, "--format", "json"))
    ran = cli("repair", "--yes", "--venv", gone)
    assert ran.code == 0, ran
    assert home_of(gone) == str(two.parents[1])
    assert (gone / "pyvenv.cfg").read_text().count(str(two.parent)) == 2
    assert "AD319" not in codes(cli("check", "--venv", gone, "--format", "json"))
    assert call(gone / "bin/pip", "--version"), "its commands run again"
    back = cli("rollback", "--yes", "--venv", gone)
    assert back.code == 0, back
    assert fingerprint(gone) == before


def test_where_none_is_beside_it_the_one_that_runs_attn_doctor(gone: Path, cli: Callable[..., Ran]) -> None:
    ran = cli("repair", "--yes", "--venv", gone)
    assert ran.code == 0, ran
    assert home_of(gone) == sys.base_prefix


def test_the_command_of_the_finding_mends_it_too(gone: Path, cli: Callable[..., Ran]) -> None:
    """By hand, in a shell: `venv --upgrade` alone fails at a link that leads nowhere."""
    (found,) = [
        one for one in cli("check", "--venv", gone, "--format", "json").json()["findings"] if one["code"] == "AD319"
    ]
    done = subprocess.run(found["fix"][0], shell=True, env=clean_environment(), check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert home_of(gone) == sys.base_prefix


def test_where_there_is_none_it_is_said_what_to_install(gone: Path, cli: Callable[..., Ran]) -> None:
    """Of another minor version than any Python here: its packages would not load."""
    settings = gone / "pyvenv.cfg"
    settings.write_text(settings.read_text().replace(MINOR, NEVER))
    (gone / f"lib/python{MINOR}").rename(gone / f"lib/python{NEVER}")
    for name in ("python", "python3", f"python{MINOR}"):
        (gone / "bin" / name).unlink()
        (gone / "bin" / name.replace(MINOR, NEVER)).symlink_to("/opt/gone/bin/python")
    before = fingerprint(gone)
    ran = cli("repair", "--yes", "--venv", gone)
    assert ran.code == 1, ran
    said = " ".join((ran.out + ran.err).split())
    assert f"no other Python {NEVER} was found. Install one" in said
    assert f"uv python install {NEVER}" in said
    assert "Traceback" not in said
    assert fingerprint(gone) == before
