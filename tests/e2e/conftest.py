"""Real environments, each made once; nothing here is imagined."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

TORCH = "2.13.0+cpu"
TRANSFORMERS, DIFFUSERS = "5.23.0", "0.42.1"


def call(*command: object, timeout_s: float = 120) -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run(
        [*map(str, command)], env=clean_environment(), capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_venv(folder: Path, *options: str, python: object = sys.executable) -> Path:
    call(python, "-m", "venv", *options, folder)
    return folder


@pytest.fixture(scope="session")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain virtual environment with pip."""
    return make_venv(tmp_path_factory.mktemp("plain") / "venv")


def own_uv() -> str | None:
    """The uv beside the Python that runs the tests, or else the one on the PATH."""
    beside_us = os.path.join(os.path.dirname(sys.executable), "uv")
    return beside_us if os.path.exists(beside_us) else shutil.which("uv")


@pytest.fixture(scope="session")
def uv_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `uv venv` makes: no pip in it."""
    uv = own_uv()
    if uv is None:
        pytest.skip("uv is not installed")
    folder = tmp_path_factory.mktemp("uv") / "venv"
    call(uv, "venv", "--quiet", "--offline", "--python", sys.executable, folder)
    return folder


# an environment with that torch in it, which is then not made anew: for who runs these tests again and again
READY = os.environ.get("ATTN_DOCTOR_TEST_TORCH")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time; the workers of a parallel run share what is expensive."""
    import fcntl  # not on Windows, where these tests are skipped

    with (folder / "torch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def torch_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment into which pip has installed a CPU build of torch; one for all workers."""
    if READY:
        return Path(READY)
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = shared / "torch-venv", shared / "torch-venv.done"
    with alone(shared):
        if not done.exists():
            install_torch(folder)
            done.touch()
    return folder


def install_torch(folder: Path) -> None:
    make_venv(folder, "--clear")
    done = installed([folder / "bin" / "python", "-m", "pip", "install", "--quiet", f"torch=={TORCH}"])
    if "No matching distribution" in done.stderr or "Could not find a version" in done.stderr:
        pytest.skip(f"pip finds no torch {TORCH} here")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def framework_venv(tmp_path_factory: pytest.TempPathFactory, torch_venv: Path) -> Path:
    """A copy of the environment with torch, with transformers and diffusers beside it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = shared / "framework-venv", shared / "framework-venv.done"
    with alone(shared):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(torch_venv, folder, copy_function=os.link, symlinks=True)
            install_frameworks(folder)
            done.touch()
    return folder


def install_frameworks(folder: Path) -> None:
    """By uv, which takes a second where pip takes half a minute; by pip where uv is not there or finds less."""
    wanted = [f"transformers=={TRANSFORMERS}", f"diffusers=={DIFFUSERS}", "numpy"]
    python, uv = folder / "bin/python", own_uv()
    if uv and installed([uv, "pip", "install", "--quiet", "--python", python, *wanted]).returncode == 0:
        return
    done = installed([python, "-m", "pip", "install", "--quiet", "--no-compile", *wanted])
    if "No matching distribution" in done.stderr or "Could not find a version" in done.stderr:
        pytest.skip(f"pip finds no transformers {TRANSFORMERS} here")
    assert done.returncode == 0, done.stderr


def installed(command: list[object]) -> subprocess.CompletedProcess[str]:
    """A long installation that ended, one way or the other."""
    return subprocess.run(
        [*map(str, command)], env=clean_environment(), capture_output=True, text=True, timeout=900, check=False
    )
