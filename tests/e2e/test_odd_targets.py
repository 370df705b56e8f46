"""Targets that pip would change where nobody expects it, and environments that are in use: nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import nvml_library
from compiled import needs_compiler
from execute import workshop as made_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from execute.workshop import Workshop

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Linux"),
    needs_compiler,
    pytest.mark.xdist_group("odd_targets"),
]
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nvml_library.build(tmp_path_factory.mktemp("library"))


@pytest.fixture
def shop() -> Iterator[made_here.Market]:
    opened = made_here.Market()
    yield opened
    opened.close()


@pytest.fixture
def opened(shop: made_here.Market, library: Path, tmp_path: Path) -> Callable[[str], Workshop]:
    def made(kind: str) -> Workshop:
        target = tmp_path / "eine Umgebung für José"
        if kind == "system":
            made_here.make_system(target)
        else:
            made_here.make_target(target, kind)
        shop.add(made_here.triton(tmp_path))
        return made_here.Workshop(tmp_path, target, shop, library)

    return made


def words(text: str) -> str:
    return " ".join(text.split())


def test_packages_of_the_user_under_a_python_of_the_system(opened: Callable[[str], Workshop]) -> None:
    """`pip install --user torch`: what comes now lies with the Python, and that folder is kept; the user's stays."""
    workshop = opened("system")
    site = workshop.home / f".local/lib/python{MINOR}/site-packages"
    site.mkdir(parents=True)
    for path in workshop.site.glob("torch*"):
        shutil.move(path, site / path.name)
    system, user = workshop.fingerprint(), made_here.fingerprint(workshop.home / ".local")
    python = ("--python", workshop.target / "bin/python")
    found = workshop.call("facts", *python, at=False).json()["readings"]["torch"]["value"]
    assert found["location"].endswith(f".local/lib/python{MINOR}/site-packages/torch")
    ran = workshop.call("install", "triton", "--yes", *python, at=False)
    assert ran.code == 0, ran
    assert (workshop.site / "triton").is_dir()
    assert made_here.fingerprint(workshop.home / ".local") == user
    ran = workshop.call("rollback", "--yes", *python, at=False)
    assert ran.code == 0, ran
    for folder in workshop.site.parent.glob("site-packages.*"):
        shutil.rmtree(folder)
    assert (workshop.fingerprint(), made_here.fingerprint(workshop.home / ".local")) == (system, user)


def test_where_all_packages_are_the_users_nothing_can_be_kept(opened: Callable[[str], Workshop]) -> None:
    """pip itself lies there too: what it would change has no folder of which a copy is kept."""
    workshop = opened("system")
    site = workshop.home / f".local/lib/python{MINOR}/site-packages"
    shutil.copytree(workshop.site, site, symlinks=True)
    for path in workshop.site.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    before = (workshop.fingerprint(), made_here.fingerprint(workshop.home / ".local"))
    ran = workshop.call("install", "triton", "--yes", "--python", workshop.target / "bin/python", at=False)
    assert ran.code == 1, ran
    assert "use a virtual environment" in words(ran.err)
    assert (workshop.fingerprint(), made_here.fingerprint(workshop.home / ".local")) == before


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="takes root, and setpriv")
def test_a_python_of_the_system_that_somebody_else_may_not_write_to(opened: Callable[[str], Workshop]) -> None:
    """pip would default to ~/.local, of which nothing is kept: the plan is refused."""
    workshop = opened("system")
    for folder in (workshop.home, workshop.folder):
        os.chmod(folder, 0o777)
    for path in (workshop.target, *workshop.target.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    before = workshop.fingerprint()
    python = ("--python", workshop.target / "bin/python")
    nobody = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    ran = workshop.call("install", "triton", "--yes", *python, at=False, under=nobody)
    assert ran.code == 1, ran
    assert "no permission" in words(ran.err)
    assert "Traceback" not in ran.err
    assert workshop.fingerprint() == before
    assert not (workshop.home / ".local").exists()


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_an_environment_in_use(opened: Callable[[str], Workshop], kind: str) -> None:
    """A program runs in it, with a file of it open and a folder of it as its own: it goes on, before and after."""
    workshop = opened(kind)
    before = workshop.fingerprint()
    code = "import sys; file = open('bystander.py'); print('open', flush=True)\n"
    code += "sys.stdin.readline(); print(file.read())"
    program = subprocess.Popen(
        [workshop.target / "bin/python", "-c", code],
        cwd=workshop.site,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "open\n"
        assert workshop.install().code == 0
        assert workshop.fingerprint() != before
        assert workshop.call("rollback", "--yes").code == 0
        assert workshop.fingerprint() == before
        out, _ = program.communicate("\n", timeout=30)
        assert (program.returncode, out.strip()) == (0, "here = 1")
    finally:
        program.kill()
        program.wait()
