"""Wheels with real names, versions and tags, and compiled parts that load or do not: torch in miniature, and others."""

from __future__ import annotations

import functools
import hashlib
import io
import sys
import sysconfig
import zipfile
from base64 import urlsafe_b64encode
from pathlib import Path

from compiled import _compiled, rpath

TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
OTHER = "cp312" if TAG != "cp312" else "cp313"
ABI_TAG = f"{TAG}-{TAG}-linux_x86_64"
LIBC10 = 'extern "C" int of_c10() { return 0; }\n'
INIT = """
import ctypes, os
from . import version
__version__ = version.__version__
for _name in ("libc10.so", "libtorch_cpu.so", "libtorch_python.so"):
    ctypes.CDLL(os.path.join(os.path.dirname(__file__), "lib", _name), ctypes.RTLD_GLOBAL)
"""
MODULE = """
#include <Python.h>
{declared}
static PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "{name}", 0, -1, 0, 0, 0, 0, 0}};
extern "C" PyObject *PyInit_{name}() {{ {called} return PyModule_Create(&definition); }}
"""


def wheel(filename: str, files: dict[str, str | bytes], requires: tuple[str, ...] = (), version: str = "") -> bytes:
    """The bytes of a wheel of that name. `version` is what its metadata says, where that differs from the name."""
    project, stated, python, abi, platform = filename.removesuffix(".whl").split("-")
    version = version or stated
    info = f"{project}-{version}.dist-info"
    demands = "".join(f"Requires-Dist: {one}\n" for one in requires)
    contents = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    name = project.replace("_", "-")
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{demands}\n".encode()
    tag = f"{python}-{abi}-{platform}"
    contents[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    lines = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in contents.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@functools.cache
def _library(name: str, source: str, *flags: str) -> bytes:
    return _compiled(source, flags, name)


@functools.cache
def _linked(name: str, source: str, beside: tuple[tuple[str, str], ...], *flags: str) -> bytes:
    """Compiled against other libraries, of which the source is given."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for other, code in beside:
            path = Path(folder) / other
            path.write_bytes(_compiled(code, (), other))
            paths.append(str(path))
        return _compiled(source, ("-Wl,--no-as-needed", *paths, *flags), name)


def symbol(torch: str) -> str:
    """What at::add takes in that minor of torch: an extension for another asks for what is not there."""
    return "int" * (1 if torch.startswith("2.8") else 0) or "int, int"


def torch(version: str, requires: tuple[str, ...] = (), cudnn: bool = False, tag: str = ABI_TAG) -> dict[str, bytes]:
    """torch in three libraries, under each name that it is published by; `cudnn`: it needs one."""
    minor = version.partition("+")[0]
    variant = version.partition("+")[2]
    cuda = f"'{variant[2:-1]}.{variant[-1]}'" if variant.startswith("cu") else None
    cpu = f"namespace at {{ void add({symbol(minor)}) {{}} }}\n"
    beside: tuple[tuple[str, str], ...] = (("libc10.so", LIBC10),)
    where = ["$ORIGIN"]
    if cudnn:
        beside += (("libcudnn.so.9", 'extern "C" int cudnnCreate() { return 0; }\n'),)
        where.append("$ORIGIN/../../nvidia/cudnn/lib")
    files: dict[str, str | bytes] = {
        "torch/__init__.py": INIT,
        "torch/version.py": f"__version__ = '{version}'\ncuda = {cuda}\nhip = None\n",
        "torch/nn/__init__.py": "",
        f"torch/_C.cpython-{TAG[2:]}-x86_64-linux-gnu.so": "",
        "torch/lib/libc10.so": _library("libc10.so", LIBC10),
        "torch/lib/libtorch_cpu.so": _linked("libtorch_cpu.so", cpu, beside, rpath(*where)),
        "torch/lib/libtorch_python.so": _library("libtorch_python.so", 'extern "C" int of_python() { return 0; }\n'),
    }
    names = {f"torch-{version}-{tag}.whl": wheel(f"torch-{version}-{tag}.whl", files, requires)}
    if variant in ("cu128", ""):  # the package index's own
        index = f"torch-{minor}-{tag}.whl"
        names[index] = wheel(index, files, requires)
    return names


def extension(name: str, for_torch: str | None) -> bytes:
    """A module that Python imports for real, linked to torch as extensions are. None: to nothing."""
    takes = symbol(for_torch or "")
    declared = f"namespace at {{ void add({takes}); }}" if for_torch else ""
    zeros = ", ".join("0" for _ in takes.split(","))
    called = f"at::add({zeros});" if for_torch else ""
    source = MODULE.format(name=name, declared=declared, called=called)
    cpu = f"namespace at {{ void add({takes}) {{}} }}\n"
    beside = (("libc10.so", LIBC10), ("libtorch_cpu.so", cpu)) if for_torch else ()
    # as a real one it has no path to them: it leans on a torch that was imported before

    return _linked(f"{name}.so", source, beside, f"-I{sysconfig.get_path('include')}")


def flash_attn(build: str, for_torch: str | None, version: str = "2.8.3", tag: str = ABI_TAG) -> tuple[str, bytes]:
    """flash-attn as it is published: its build in the name of the file, its version alone in the metadata."""
    filename = f"flash_attn-{version}{'+' + build if build else ''}-{tag}.whl"
    files: dict[str, str | bytes] = {"flash_attn/__init__.py": f"__version__ = '{version}'\nimport flash_attn_2_cuda\n"}
    if for_torch:
        suffix = f"cpython-{tag[2:].partition('-')[0]}-x86_64-linux-gnu"
        files[f"flash_attn_2_cuda.{suffix}.so"] = extension("flash_attn_2_cuda", for_torch)
    return filename, wheel(filename, files, ("torch", "einops"), version)


def companion(name: str, version: str, demands: str, variant: str = "") -> dict[str, bytes]:
    """torchvision or torchaudio; the build of one of the package index stands in its version.py."""
    build = variant or "cu128"
    filename = f"{name}-{version}{'+' + variant if variant else ''}-{ABI_TAG}.whl"
    files: dict[str, str | bytes] = {
        f"{name}/__init__.py": "from . import version\n",
        f"{name}/version.py": f"__version__ = '{version}+{build}'\n",
    }
    return {filename: wheel(filename, files, ("numpy", f"torch=={demands}"))}


def _path(name: str) -> str:
    """'flash_attn/cute/__init__.py' of 'flash_attn__cute____init__'."""
    folder, init, _ = name.partition("____init__")
    return f"{folder.replace('__', '/')}{'/__init__' if init else ''}.py"


def plain(name: str, version: str, *requires: str, tag: str = "py3-none-any", **files: str) -> dict[str, bytes]:
    """A package of one module; more files by their path, __ for a slash."""
    module = name.replace("-", "_")
    filename = f"{module}-{version}-{tag}.whl"
    contents: dict[str, str | bytes] = {f"{module}/__init__.py": f"__version__ = '{version}'\n"}
    contents = {_path(path): text for path, text in files.items()} or contents
    return {filename: wheel(filename, contents, requires)}
