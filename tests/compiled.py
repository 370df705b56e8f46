"""Shared libraries made here by the real compiler: a torch in miniature, and extensions that fit it or do not."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

needs_compiler = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("g++"), reason="libraries are compiled with g++ on Linux"
)

C10 = """
#include <string>
namespace c10 {
struct SourceLocation { int line; };
struct Error { Error(SourceLocation, std::string); };
Error::Error(SourceLocation, std::string text) { line = text.size(); }
namespace cuda { void SetDevice(signed char, bool) {} }
}
""".replace("struct Error {", "struct Error { int line;")
AT = "namespace at { void add(int) {} }\n"
PYTHON = (
    'namespace at { void add(int); }\nextern "C" int cudaMalloc();\nint use() { at::add(1); return cudaMalloc(); }\n'
)
CUDART = 'extern "C" int cudaMalloc() { return 0; }\n'
ERROR = """
#include <string>
namespace c10 { struct SourceLocation { int line; }; struct Error { Error(SourceLocation, std::string); int line; }; }
int use() { return c10::Error({1}, "x").line; }
"""


def build(path: Path, source: str, *flags: str) -> Path:
    """Compile one shared library, once for each source and flags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_compiled(source, flags, path.name))
    return path


@functools.cache
def _compiled(source: str, flags: tuple[str, ...], name: str) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / name
        soname = () if any("-soname" in flag for flag in flags) else (f"-Wl,-soname,{name}",)
        code = Path(folder) / "source.cpp"
        code.write_text(source)
        command = ["g++", "-shared", "-fPIC", "-O0", "-o", str(out), str(code), *soname, *flags]
        subprocess.run(command, check=True, capture_output=True)
        return out.read_bytes()


def rpath(*folders: str) -> str:
    return "-Wl,--disable-new-dtags,-rpath," + ":".join(folders)


class FakeVenv:
    """A virtual environment with a torch of four libraries, linked like the real ones."""

    def __init__(self, folder: Path, cuda: str | None = "12") -> None:
        self.root = folder / "venv"
        minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
        self.site = self.root / "lib" / f"python{minor}" / "site-packages"
        self.lib = self.site / "torch" / "lib"
        (self.root / "bin").mkdir(parents=True)
        (self.root / "bin" / "python").symlink_to(sys.executable)
        (self.root / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {minor}.0\n")
        self.cudart = self.site / "nvidia" / "cuda_runtime" / "lib"
        if cuda:
            build(self.cudart / f"libcudart.so.{cuda}", CUDART)
        build(self.lib / "libc10.so", C10)
        build(self.lib / "libtorch_cpu.so", AT)
        linked = [str(self.lib / "libc10.so"), str(self.lib / "libtorch_cpu.so")]
        linked += [str(self.cudart / f"libcudart.so.{cuda}")] if cuda else []
        where = rpath("$ORIGIN/../../nvidia/cuda_runtime/lib", "$ORIGIN")
        source = PYTHON if cuda else PYTHON.replace("return cudaMalloc();", "return 0;")
        build(self.lib / "libtorch_python.so", source, "-Wl,--no-as-needed", *linked, where)
        version = f'__version__ = "2.8.0"\ncuda = {f"{cuda}.8" if cuda else None!r}\n'
        (self.site / "torch" / "version.py").write_text(version)
        self.distribution("torch", "2.8.0")

    def distribution(self, name: str, version: str) -> None:
        folder = self.site / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")

    def flash_attn(self, source: str | None, *flags: str, version: str = "2.8.3") -> Path:
        """Install flash-attn with an extension of that source; None: without one."""
        self.distribution("flash_attn", version)
        (self.site / "flash_attn").mkdir(exist_ok=True)
        path = self.site / "flash_attn_2_cuda.so"
        if source is not None:
            linked = [str(self.lib / name) for name in ("libc10.so", "libtorch_cpu.so", "libtorch_python.so")]
            allow = "-Wl,--allow-shlib-undefined,--unresolved-symbols=ignore-all"
            build(path, source, "-Wl,--no-as-needed", *linked, allow, *flags)
        return path

    def facts(self, host: Any = None) -> Any:
        """What the probe reads of this environment."""
        from attn_doctor.machine.host import LiveHost
        from attn_doctor.machine.probes.extensions import PROBE
        from attn_doctor.machine.target import locate

        asked = host or LiveHost()
        return PROBE.read(asked, locate(asked, venv=str(self.root)))

    def loads(self, path: Path, env: dict[str, str] | None = None) -> str | None:
        """What the real loader says after torch has been loaded; None where it loads."""
        script = (
            "import ctypes, sys\n"
            "ctypes.CDLL(sys.argv[1])\n"
            "try:\n    ctypes.CDLL(sys.argv[2])\nexcept OSError as error:\n    print(error)\n"
        )
        first = str(self.lib / "libtorch_python.so")
        done = subprocess.run(
            [sys.executable, "-I", "-c", script, first, str(path)],
            capture_output=True,
            text=True,
            env=env or {},
            check=False,
        )
        if done.returncode < 0:
            return f"signal {-done.returncode}"
        assert done.returncode == 0, done.stderr
        return done.stdout.strip() or None
