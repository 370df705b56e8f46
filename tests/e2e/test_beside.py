"""Folders that an environment imports from besides its own: found where its own Python imports torch from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import Ran

    Cli = Callable[..., Ran]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
VERSION = "__version__ = '2.9.1+cpu'\ncuda = None\n"
CHECKOUT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "torch"
version = "2.9.1+cpu"
[tool.setuptools]
packages = ["torch", "functorch"]
"""


def torch_in(folder: Path) -> Path:
    (folder / "torch").mkdir(parents=True)
    (folder / "torch/__init__.py").write_text("from .version import __version__\n")
    (folder / "torch/version.py").write_text(VERSION)
    return folder


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    import venv as maker

    maker.create(tmp_path / "venv", with_pip=False, symlinks=True)
    return tmp_path / "venv"


def site(venv: Path) -> Path:
    return venv / f"lib/python{MINOR}/site-packages"


def imported_from(venv: Path, env: dict[str, str] | None = None) -> str:
    """The folder of torch, by the interpreter of the environment."""
    code = "import os, torch; print(os.path.dirname(torch.__file__))"
    done = subprocess.run(
        [venv / "bin/python", "-c", code],
        env={**clean_environment(), **(env or {})},
        cwd=venv,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return os.path.realpath(done.stdout.strip())


def read(cli: Cli, venv: Path, *options: str, env: dict[str, str] | None = None) -> Any:
    ran = cli("facts", "--venv", venv, *options, env=env)
    assert ran.code == 0, ran.err
    return ran.json()["readings"]


@pytest.mark.parametrize("line", ["{}", "# a remark\n\n{}", "import sys\n{}", "{}\r", "/there/is/nothing\n{}"])
def test_an_environment_over_another(cli: Cli, venv: Path, tmp_path: Path, line: str) -> None:
    base = torch_in(tmp_path / "base/site-packages")
    (site(venv) / "_base.pth").write_text(line.format(base) + "\n", encoding="utf-8")
    found = read(cli, venv)["torch"]
    assert found["value"]["version"] == "2.9.1+cpu"
    assert os.path.realpath(found["value"]["location"]) == imported_from(venv)


def test_a_folder_from_where_the_file_lies(cli: Cli, venv: Path) -> None:
    torch_in(site(venv) / "parts/inner")
    (site(venv) / "parts.pth").write_text("parts/inner\n")
    assert os.path.realpath(read(cli, venv)["torch"]["value"]["location"]) == imported_from(venv)


def test_its_own_torch_comes_first_and_the_other_is_no_fault(cli: Cli, venv: Path, tmp_path: Path) -> None:
    base = torch_in(tmp_path / "base/site-packages")
    own = torch_in(site(venv))
    (own / "torch/version.py").write_text(VERSION.replace("2.9.1", "2.13.0"))
    (own / "base.pth").write_text(f"{base}\n")
    assert read(cli, venv)["torch"]["value"]["version"] == "2.13.0+cpu"
    assert imported_from(venv) == os.path.realpath(own / "torch")
    codes = {one["code"] for one in cli("check", "--venv", venv, "--format", "json").json()["findings"]}
    assert "AD309" not in codes


@pytest.mark.parametrize("hidden", [".base.pth", "base.pth.off", "base.txt"])
def test_what_python_does_not_read(cli: Cli, venv: Path, tmp_path: Path, hidden: str) -> None:
    base = torch_in(tmp_path / "base/site-packages")
    (site(venv) / hidden).write_text(f"{base}\n")
    assert read(cli, venv)["torch"]["status"] == "absent"


def test_a_checkout_that_pip_installed_as_editable(cli: Cli, venv: Path, tmp_path: Path) -> None:
    checkout = torch_in(tmp_path / "pytorch")
    (checkout / "functorch").mkdir()
    (checkout / "functorch/__init__.py").write_text("")
    (checkout / "pyproject.toml").write_text(CHECKOUT)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            venv / "bin/python",
            "install",
            "--quiet",
            "--no-deps",
            "-e",
            checkout,
        ],
        env=clean_environment(),
        check=True,
        timeout=120,
    )
    found = read(cli, venv)
    assert os.path.realpath(found["torch"]["value"]["location"]) == imported_from(venv)
    assert found["packages"]["value"]["torch"]["version"] == "2.9.1+cpu"


def test_a_torch_of_pythonpath(cli: Cli, venv: Path, tmp_path: Path) -> None:
    """As the modules of a cluster bring it."""
    env = {"PYTHONPATH": f"{torch_in(tmp_path / 'modules/torch-2.9.1')}:/there/is/nothing"}
    found = read(cli, venv, "--deep", env=env)
    assert os.path.realpath(found["torch"]["value"]["location"]) == imported_from(venv, env)
    assert read(cli, venv)["torch"]["status"] == "absent"
