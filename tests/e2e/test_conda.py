"""attn-doctor in conda environments: default target, install, repair and rollback by the pip that lies in them.

No channel of conda's is asked. The packages are made here in conda's format (index.json, paths.json with the digest of
each file, INSTALLER as conda-build writes it), a solver picks them from a local channel, and py-rattler, the installer
of pixi and rattler-build, makes the environment: conda-meta is what it writes, and files are links into its package
cache, as conda's are. It stands for an environment made by `conda create`; conda itself, which reads the same records,
is not run. The Python in it is this one; torch is a small stand-in.
"""

from __future__ import annotations

import ensurepip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nvml_library
from compiled import needs_compiler
from e2e.conftest import make_venv
from e2e.test_repair import A100, UV, World
from execute.workshop import fingerprint
from plan.mends import stand_ins as make
from plan.mends.places import Places
from support import Ran, clean_environment, run_cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("openssl"), reason="Linux, with openssl"),
    needs_compiler,
    pytest.mark.xdist_group("conda"),
]

RATTLER = "py-rattler==0.28.0"
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
VERSION = ".".join(map(str, sys.version_info[:3]))
SITE = f"lib/python{MINOR}/site-packages"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """What pip can get: from the index, and from PyTorch's."""
    opened = Places(tmp_path_factory.mktemp("places"))
    for variant in ("", "cu128"):
        opened.add(make.companion("torchvision", "0.23.0", "2.8.0", variant))
        opened.add(make.companion("torchvision", "0.24.1", "2.9.1", variant))
    opened.add(make.torch("2.9.1+cu128"))
    opened.add(make.plain("triton", "3.4.0", tag=f"{make.TAG}-{make.TAG}-manylinux_2_17_x86_64"))
    yield opened
    opened.close()


def unpacked(folder: Path, wheel: bytes) -> None:
    """What `pip install` leaves where conda-build packs it: conda is then the installer."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        archive.extractall(folder / SITE)
    for info in (folder / SITE).glob("*.dist-info"):
        (info / "INSTALLER").write_text("conda\n")
        with (info / "RECORD").open("a") as record:
            record.write(f"{info.name}/INSTALLER,,\n")


def python_of_conda(folder: Path) -> None:
    """A package `python`: its program, and a library whose parts are links to ours."""
    library = folder / f"lib/python{MINOR}"
    (library / "site-packages").mkdir(parents=True)
    (folder / "bin").mkdir()
    for entry in Path(os.__file__).parent.iterdir():
        if entry.name not in ("site-packages", "__pycache__", "EXTERNALLY-MANAGED"):
            (library / entry.name).symlink_to(entry)
    shutil.copy2(os.path.realpath(sys.executable), folder / f"bin/python{MINOR}")
    for name in ("python", "python3"):
        (folder / "bin" / name).symlink_to(f"python{MINOR}")


def packages(work: Path) -> None:
    """One folder for each package."""

    def package(name: str, *depends: str) -> Path:
        folder = work / "packages" / name
        folder.mkdir(parents=True)
        folder.with_name(f"{name}.depends").write_text(json.dumps(depends))
        return folder

    python_of_conda(package(f"python-{VERSION}"))
    (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    unpacked(package(f"pip-{pip.name.split('-')[1]}", "python"), pip.read_bytes())
    torch = make.torch("2.8.0+cu128")[f"torch-2.8.0-{make.ABI_TAG}.whl"]
    unpacked(package("pytorch-2.8.0", "python"), torch)
    for version, of in (("0.23.0", "2.8.0"), ("0.24.1", "2.9.1")):
        (vision,) = make.companion("torchvision", version, of).values()
        unpacked(package(f"torchvision-{version}", "python"), vision)
    (numpy,) = make.plain("numpy", "2.3.0", tag=f"{make.TAG}-{make.TAG}-linux_x86_64").values()
    unpacked(package("numpy-2.3.0", "python"), numpy)


@pytest.fixture(scope="module")
def make_prefix(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    """Makes environments of these packages by rattler."""
    work = tmp_path_factory.mktemp("conda")
    venv = make_venv(work / "rattler", "--without-pip")
    command = [UV, "pip", "install", "--quiet", "--only-binary", ":all:", "--python", venv / "bin/python", RATTLER]
    got = subprocess.run([*map(str, command)], env=clean_environment(), capture_output=True, check=False)
    if got.returncode != 0:
        pytest.skip(f"uv finds no {RATTLER} here: {got.stderr.decode()[-200:]}")
    packages(work)

    def made(prefix: Path, *wanted: str) -> None:
        script = Path(__file__).with_name("conda_packages.py")
        command = [venv / "bin/python", script, work, prefix, f"python={VERSION}", "pip", "pytorch", "numpy", *wanted]
        done = subprocess.run([*map(str, command)], env=clean_environment(), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    return made


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("nvml")
    return nvml_library.config(folder, A100, nvml_library.build(folder))


@pytest.fixture
def world(
    make_prefix: Callable[..., None], places: Places, gpu: dict[str, str], tmp_path: Path
) -> Callable[..., World]:
    def made(*wanted: str) -> World:
        prefix = tmp_path / "conda" / "envs" / "für Aufmerksamkeit"
        make_prefix(prefix, *wanted)
        assert damaged(prefix) == set()
        return World(prefix, places, tmp_path, gpu)

    return made


def records(prefix: Path) -> dict[str, Any]:
    """conda-meta: what conda believes is installed."""
    found = (json.loads(path.read_text()) for path in (prefix / "conda-meta").glob("*.json"))
    return {one["name"]: one for one in found}


def damaged(prefix: Path) -> set[str]:
    """Packages of conda with files that are gone or are others, as `conda doctor` looks for them."""
    return {name for name, one in records(prefix).items() if any(_differs(prefix, path) for path in _paths(one))}


def _paths(record: Any) -> Any:
    assert record["paths_data"]["paths"], "conda's records name every file"
    return record["paths_data"]["paths"]


def _differs(prefix: Path, entry: Any) -> bool:
    path = prefix / entry["_path"]
    if entry["path_type"] == "softlink":
        return not path.is_symlink()
    return not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]


def cache_of(prefix: Path) -> dict[str, str]:
    """The packages that conda keeps for all environments: files are links to these."""
    (folder,) = {Path(one["extracted_package_dir"]).parent for one in records(prefix).values()}
    return fingerprint(folder)


def active(here: World, *arguments: object) -> Ran:
    """As after `conda activate`: no option names the target."""
    env: dict[str, str | None] = {**dict.fromkeys(os.environ), **here.environment()}
    env |= {"CONDA_PREFIX": str(here.venv), "CONDA_DEFAULT_ENV": here.venv.name}
    return run_cli(*arguments, env=env, cwd=here.home)


def test_installed_and_rolled_back_in_the_active_environment(world: Callable[..., World]) -> None:
    here = world("torchvision=0.23.0")
    before, cache = fingerprint(here.venv), cache_of(here.venv)
    facts: Any = active(here, "facts").json()["readings"]
    python = facts["python"]["value"]
    assert (python["kind"], python["chosen_by"]) == ("conda", "$CONDA_PREFIX")
    assert python["prefix"].endswith("conda/envs/für Aufmerksamkeit")
    assert facts["torch"]["value"]["installer"] == "conda"
    assert facts["packages"]["value"]["numpy"]["installer"] == "conda"
    ran = active(here, "install", "triton", "--yes")
    assert ran.code == 0, f"{ran!r}\n{here.log()}"
    assert "conda installed" not in ran.out, "nothing of conda's is replaced, so nothing is said of it"
    assert damaged(here.venv) == set(), "what conda owns is as conda left it"
    assert (here.site / "triton-3.4.0.dist-info/INSTALLER").read_text().strip() == "pip"
    assert cache_of(here.venv) == cache
    back = active(here, "rollback", "--yes")
    assert back.code == 0, back
    assert fingerprint(here.venv) == before
    assert cache_of(here.venv) == cache
    here.run(UV, "pip", "uninstall", "--python", here.python, "pip")
    before = fingerprint(here.venv)
    ran = active(here, "install", "triton", "--yes")
    assert ran.code == 0, f"{ran!r}\n{here.log()}"
    assert (here.site / "triton-3.4.0.dist-info/INSTALLER").read_text().strip() == "uv"
    assert damaged(here.venv) == {"pip"}
    assert active(here, "rollback", "--yes").code == 0
    assert fingerprint(here.venv) == before


def test_what_pip_put_over_conda_is_mended(world: Callable[..., World]) -> None:
    """`pip install -U torchvision` in a conda environment."""
    here = world("torchvision=0.23.0")
    here.pip("install", "--no-deps", "torchvision==0.24.1")
    assert damaged(here.venv) == {"torchvision"}
    assert "AD303 error" in here.codes()
    before = fingerprint(here.venv)
    ran = here.cli("repair", "--yes")
    assert ran.code == 0, f"{ran!r}\n{here.log()}"
    assert "conda installed" not in ran.out, "it is pip's by now"
    assert not {one for one in here.codes() if one.endswith("error")}
    assert damaged(here.venv) <= {"torchvision"}
    assert here.cli("rollback", "--yes").code == 0
    assert fingerprint(here.venv) == before


def test_a_package_of_conda_is_not_replaced_in_silence(world: Callable[..., World]) -> None:
    """conda's own torchvision is the one that does not fit: pip can bring another, and what that means is said."""
    here = world("torchvision=0.24.1")
    before, cache = fingerprint(here.venv), cache_of(here.venv)
    assert "AD303 error" in here.codes()
    ran = here.cli("repair", "--dry-run")
    said = " ".join(ran.out.split())
    assert "conda installed torchvision: pip takes its files away, conda does not learn of it" in said
    assert f"conda install --prefix '{here.venv}' torchvision=0.23.0" in said
    ran = here.cli("repair", "--yes")
    assert ran.code == 0, f"{ran!r}\n{here.log()}"
    assert damaged(here.venv) == {"torchvision"}, "and no other"
    assert cache_of(here.venv) == cache, "other environments link to the same files"
    assert here.cli("rollback", "--yes").code == 0
    assert (fingerprint(here.venv), damaged(here.venv)) == (before, set())
    # without a RECORD, as older packages are, pip fails half-way: everything is put back, and pip's own hint is shown
    (here.site / "torchvision-0.24.1.dist-info/RECORD").unlink()
    before = fingerprint(here.venv)
    ran = here.cli("repair", "--yes")
    assert ran.code == 1, f"{ran!r}\n{here.log()}"
    assert "putting everything back" in ran.err
    assert "RECORD" in here.log()
    assert fingerprint(here.venv) == before
