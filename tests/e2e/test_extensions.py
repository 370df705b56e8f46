"""Extensions compiled against a real torch: what is read from their files is what importing them does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from attn_doctor.machine.host import LiveHost
from attn_doctor.machine.probes.extensions import PROBE
from attn_doctor.machine.target import locate
from compiled import needs_compiler
from support import clean_environment, value

pytestmark = [needs_compiler, pytest.mark.xdist_group("torch")]

CHECKS = '#include <c10/util/Exception.h>\nint use(int x) { TORCH_CHECK(x > 0, "no ", x); return x; }\n'
TENSOR = """
#include <ATen/core/Tensor.h>
bool use(const at::Tensor& x) { return x.defined() && x.is_contiguous() && x.sym_numel() > 0; }
"""
ANOTHER_TORCH = "namespace c10 { struct Gone { void away(int); }; }\nint use() { c10::Gone().away(1); return 0; }\n"


@pytest.fixture
def env(torch_venv: Path, tmp_path: Path) -> Path:
    """An environment of its own that borrows every package of the one with torch."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    for package in site(torch_venv).iterdir():
        (site(folder) / package.name).symlink_to(package)
    (site(folder) / "flash_attn").mkdir()
    (site(folder) / "flash_attn-2.8.3.dist-info").mkdir()
    return folder


def site(folder: Path) -> Path:
    return next(folder.glob("lib/python3*/site-packages"))


def compiled(env: Path, source: str, *flags: str) -> Path:
    torch = site(env) / "torch"
    code, out = env / "source.cpp", site(env) / "flash_attn_2_cuda.so"
    code.write_text(source)
    folders = [f"-I{torch / 'include'}", f"-I{torch / 'include/torch/csrc/api/include'}", f"-L{torch / 'lib'}"]
    command = ["g++", "-shared", "-fPIC", "-O1", "-std=c++20", *folders, *flags, str(code), "-o", str(out)]
    # as torch's extension builder links; what is not defined is found out when it is loaded
    command += ["-Wl,--no-as-needed", "-lc10", "-ltorch", "-ltorch_cpu", "-ltorch_python"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def imported(env: Path, path: Path) -> str | None:
    script = f"import torch, ctypes\ntry:\n    ctypes.CDLL({str(path)!r})\nexcept OSError as error:\n    print(error)"
    command = [str(env / "bin" / "python"), "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=True)
    return done.stdout.strip() or None


def read(env: Path) -> Any:
    host = LiveHost()
    return value(PROBE.read(host, locate(host, venv=str(env))))


@pytest.mark.parametrize("source", [CHECKS, TENSOR], ids=["checks", "tensor"])
def test_one_for_this_torch_loads(env: Path, source: str) -> None:
    path = compiled(env, source)
    (found,) = read(env).packages["flash-attn"]
    assert imported(env, path) is None
    assert (found.unreadable, found.missing_libraries, found.missing_count) == (None, (), 0)
    assert read(env).torch.missing == {}


def test_one_of_the_old_abi_does_not(env: Path) -> None:
    path = compiled(env, CHECKS, "-D_GLIBCXX_USE_CXX11_ABI=0")
    (found,) = read(env).packages["flash-attn"]
    said = imported(env, path)
    assert said is not None
    assert any(f"undefined symbol: {symbol}" in said for symbol in found.missing_symbols)
    assert found.cxx11abi is False


def test_one_for_another_torch_does_not(env: Path) -> None:
    path = compiled(env, ANOTHER_TORCH)
    (found,) = read(env).packages["flash-attn"]
    said = imported(env, path)
    assert said is not None
    assert found.missing_symbols == ("_ZN3c104Gone4awayEi",)
    assert "undefined symbol: _ZN3c104Gone4awayEi" in said


def test_torch_without_a_library_of_its_own(env: Path) -> None:
    packages = site(env)
    real = (packages / "torch").resolve()
    (packages / "torch").unlink()
    shutil.copytree(
        real, packages / "torch", symlinks=True, copy_function=_link, ignore=shutil.ignore_patterns("libgomp*")
    )
    missing = read(env).torch.missing
    command = [str(env / "bin" / "python"), "-W", "ignore", "-c", "import torch"]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), check=False)
    lost = [name for name in missing if name in done.stderr]
    assert bool(lost) == (done.returncode != 0)
    assert bool(missing) == (done.returncode != 0)


def _link(source: str, target: str) -> None:
    """A hard link where it can be: torch is large."""
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
