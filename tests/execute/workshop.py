"""What it takes to install for real and to see that nothing was lost: a GPU, an environment, an index."""

from __future__ import annotations

import ensurepip
import os
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nvml_library
from plan.shop import Shop, make_wheel
from support import clean_environment, run_cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import Ran

TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
TORCH = f"torch-2.8.0+cu128-{TAG}-{TAG}-linux_x86_64.whl"
TORCH_FILES = {
    "torch/__init__.py": "__version__ = '2.8.0+cu128'\n",
    "torch/version.py": "__version__ = '2.8.0+cu128'\ncuda = '12.8'\n",
}
TRITON = f"triton-3.4.0-{TAG}-{TAG}-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl"
BYSTANDER = "bystander-1.0-py3-none-any.whl"
A100 = (
    'driver 580.95.05\nnvml 13.580.95.05\ncuda 13000\ndevice name="NVIDIA A100-SXM4-40GB" cc=8.0 memory=42949672960\n'
)
SCRIPTS = os.path.dirname(sys.executable)
UV = os.path.join(SCRIPTS, "uv")


class Market(Shop):
    """A shop whose index may promise another file than it sends."""

    def page(self, project: str) -> str:
        text = super().page(project)
        for name, data in self.files.items():
            if self.moods.get(name) == "wrong digest":
                text = text.replace(sha256(data).hexdigest(), "0" * 64)
        return text


def triton(folder: Path, files: int = 20, extra: dict[str, str] | None = None) -> Path:
    """A small wheel of Triton's name; each of its modules is compiled by pip, which takes its time."""
    modules = {f"triton/part{number}.py": f"value = {number}\n" * 20 for number in range(files)}
    return make_wheel(folder, TRITON, {"triton/__init__.py": "__version__ = '3.4.0'\n", **modules, **(extra or {})})


def fails_half_way(folder: Path) -> bytes:
    """A wheel of Triton's name: a file of it is to go where a folder is, which stops pip and uv in the middle."""
    below = folder / "half-way"
    below.mkdir(exist_ok=True)
    return triton(below, extra={"bystander-data": "in the way\n", "zlast/part.py": ""}).read_bytes()


class Workshop:
    """An environment with a torch of its own, an index on loopback, a GPU that answers, and a place for the state."""

    def __init__(self, folder: Path, target: Path, shop: Shop, library: Path) -> None:
        self.folder, self.target, self.shop = folder, target, shop
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self.variables: dict[str, str | None] = {**self._environment(), **nvml_library.config(folder, A100, library)}

    def _environment(self) -> dict[str, str]:
        index = f"{self.shop.base}/simple/"
        return {
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "PIP_INDEX_URL": index,
            "UV_DEFAULT_INDEX": index,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_CACHE_DIR": str(self.home / "pip"),
            "UV_CACHE_DIR": str(self.home / "uv"),
            "PIP_DEFAULT_TIMEOUT": "2",
            "PIP_RETRIES": "0",
            "UV_HTTP_TIMEOUT": "2",
            "UV_HTTP_RETRIES": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
        }

    @property
    def environment(self) -> dict[str, str]:
        """For a process of one's own."""
        kept = {name: value for name, value in clean_environment().items() if not name.startswith(("PIP_", "UV_"))}
        return kept | {name: value for name, value in self.variables.items() if value is not None}

    def forget_downloads(self) -> None:
        """What pip and uv keep would not be asked for again."""
        for name in ("pip", "uv", "cache"):
            shutil.rmtree(self.home / name, ignore_errors=True)

    @property
    def state(self) -> Path:
        return self.home / "state" / "attn-doctor"

    @property
    def site(self) -> Path:
        return next((self.target / "lib").glob("python*/site-packages"))

    def call(self, *arguments: object, at: bool = True, **how: Any) -> Ran:
        """`attn-doctor ARGUMENTS --venv TARGET`."""
        target = ("--venv", self.target) if at else ()
        cleared = {name: None for name in os.environ if name.startswith(("PIP_", "UV_"))}
        variables = {**cleared, **self.variables, **how.pop("env", {})}
        return run_cli(*arguments, *target, env=variables, cwd=self.folder, **how)

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "attn_doctor", *map(str, arguments), "--venv", str(self.target)]

    def install(self, *arguments: object, **how: Any) -> Ran:
        return self.call("install", "triton", "--yes", *arguments, **how)

    def history(self) -> list[Any]:
        ran = self.call("history", "--format", "json")
        assert ran.code == 0, ran
        return list(ran.json()["changes"])

    def fingerprint(self) -> dict[str, str]:
        return fingerprint(self.target)

    def left_beside(self) -> set[str]:
        """What lies beside the target and is named after it."""
        return {path.name for path in self.target.parent.iterdir() if path.name.startswith(self.target.name + ".")}


def make_target(folder: Path, kind: str) -> Path:
    """An environment of pip or of uv, with a torch that consists of its version."""
    if kind == "uv":
        subprocess.run([UV, "venv", "--quiet", "--offline", "--python", sys.executable, folder], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        put_pip_in(folder)
    put_in(folder)
    return folder


def unpack(wheel: Path, site: Path) -> None:
    """What an installer does, without its time."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)


def put_pip_in(folder: Path) -> None:
    """The pip that Python carries with it."""
    (wheel,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
    site = next((folder / "lib").glob("python*/site-packages"))
    unpack(wheel, site)
    # once here, and not by each call of pip in each copy
    subprocess.run([sys.executable, "-m", "compileall", "-q", site / "pip"], env=clean_environment(), check=True)


def put_in(folder: Path) -> None:
    """A torch that consists of its version, and what must not be lost: links, modes, folders."""
    site = next((folder / "lib").glob("python*/site-packages"))
    wheels = folder.parent / f"{folder.name}-wheels"
    wheels.mkdir()
    for wheel in (
        make_wheel(wheels, TORCH, TORCH_FILES),
        make_wheel(wheels, BYSTANDER, {"bystander.py": "here = 1\n"}),
    ):
        unpack(wheel, site)
    (site / "linked.py").symlink_to("bystander.py")
    (site / "bystander-data").mkdir(mode=0o750)
    (site / "bystander-data" / "run.sh").write_text("exit 0\n", encoding="utf-8")
    (site / "bystander-data" / "run.sh").chmod(0o751)


def make_system(folder: Path, managed: bool = False, conda: bool = False) -> Path:
    """A Python of its own, no virtual environment: with the marker of PEP 668, or as conda makes one."""
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library, own = Path(os.__file__).parent, folder / "lib" / minor
    (folder / "bin").mkdir(parents=True)
    (own / "site-packages").mkdir(parents=True)
    for entry in library.iterdir():
        if entry.name not in ("site-packages", "__pycache__", "EXTERNALLY-MANAGED"):
            (own / entry.name).symlink_to(entry)
    python = folder / "bin" / minor
    shutil.copy2(os.path.realpath(sys.executable), python)
    (folder / "bin" / "python").symlink_to(minor)
    put_pip_in(folder)
    put_in(folder)
    if managed:
        (own / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=not here\n", encoding="utf-8")
    if conda:
        (folder / "conda-meta").mkdir()
        version = ".".join(map(str, sys.version_info[:3]))
        (folder / "conda-meta" / f"python-{version}-0.json").write_text("{}", encoding="utf-8")
        (folder / "conda-meta" / "history").write_text("==> made <==\n", encoding="utf-8")
    return folder


def copied(made: Path, to: Path) -> Path:
    """A copy to work on: each test has its own."""
    return Path(shutil.copytree(made, to, symlinks=True))


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file, folder and link: kind, mode, owner and contents. What Python compiles by itself is nobody's."""
    return dict(_every(folder))


def _every(folder: Path) -> Iterator[tuple[str, str]]:
    top = folder.lstat()
    yield ".", f"{top.st_mode:o} {top.st_uid}:{top.st_gid}"
    for path in sorted(folder.rglob("*")):
        if "__pycache__" in path.parts:
            continue
        state = path.lstat()
        what = f"{state.st_mode:o} {state.st_uid}:{state.st_gid}"
        if path.is_symlink():
            what = f"-> {path.readlink()}"
        elif path.is_file():
            what += f" {state.st_mtime_ns} {sha256(path.read_bytes()).hexdigest()}"
        yield path.relative_to(folder).as_posix(), what


def running(mark: str) -> list[int]:
    """Processes that were started with this text among their variables, and are no zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            variables = (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark.encode() in variables and state != "Z":
            found.append(int(entry.name))
    return found
