"""Another interpreter for an environment whose own is gone: one of the same minor version that answers when asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import msgspec

from attn_doctor.machine.host import CannotLook, Completed, Host, join, run, which
from attn_doctor.machine.probe import timeout_s
from attn_doctor.machine.target import RUN_NO_PYTHON, Target

# a shim of pyenv is there for a version that is not, and a name promises no version: it is asked
ASK = (
    "import json,os,sys;print(json.dumps(['%d.%d'%sys.version_info[:2],'t' in getattr(sys,'abiflags',''),"
    "os.path.realpath(getattr(sys,'_base_executable',None) or sys.executable)]))"
)
PLACES = ("/usr/local/bin", "/usr/bin", "/opt/homebrew/bin")
FRAMEWORK = "/Library/Frameworks/Python.framework/Versions"


def instead_of(host: Host, target: Target) -> str | msgspec.UnsetType | None:
    """Its real path, so that no folder of links has to last; None: there is none, UNSET: none may be asked."""
    if host.env(RUN_NO_PYTHON):
        return msgspec.UNSET
    minor = ".".join(target.version.split(".")[:2])
    seen: set[str] = set()
    for path in _candidates(host, target, f"python{minor}{'t' if target.free_threaded else ''}"):
        real = host.real_path(path)
        if real in seen or not host.is_executable(path):
            continue
        seen.add(real)
        if (found := _answer(host, path)) and found[:2] == (minor, target.free_threaded):
            return found[2]
    return None


def _candidates(host: Host, target: Target, name: str) -> Iterator[str]:
    """Of the same make first: what stands beside the one that is gone. Then ours, PATH, uv's, pyenv's, the system's."""
    if target.base:
        yield join(target.base, name)
        yield from _below(host, os.path.dirname(os.path.dirname(target.base)), name)
    yield getattr(sys, "_base_executable", None) or sys.executable
    if on_path := which(host, name):
        yield on_path
    for versions in _collections(host):
        yield from _below(host, versions, name)
    yield from (join(place, name) for place in PLACES)
    yield join(FRAMEWORK, name.removeprefix("python").removesuffix("t"), "bin", name)


def _collections(host: Host) -> Iterator[str]:
    """Where uv and pyenv keep a folder for each Python."""
    home = host.env("HOME") or ""
    data = host.env("XDG_DATA_HOME") or join(home, ".local/share")
    yield host.env("UV_PYTHON_INSTALL_DIR") or join(data, "uv/python")
    yield join(host.env("PYENV_ROOT") or join(home, ".pyenv"), "versions")


def _below(host: Host, folder: str, name: str) -> Iterator[str]:
    """FOLDER/*/bin/NAME, the newest first as far as names say it."""
    try:
        entries = host.list_dir(folder)
    except CannotLook:
        return
    for entry in sorted(entries, key=_by_number, reverse=True):
        yield join(folder, entry, "bin", name)


def _by_number(name: str) -> tuple[int, ...]:
    """(3, 11, 10) of cpython-3.11.10-linux-x86_64-gnu: after 3.11.9."""
    digits = "".join(char if char.isdigit() else " " for char in name)
    return tuple(map(int, digits.split()))


def _answer(host: Host, path: str) -> tuple[str, bool, str] | None:
    """Its minor version, whether it is free-threaded, and where it really lies; None where it does not answer so."""
    said = run(host, [path, "-I", "-c", ASK], timeout_s(host))
    if not isinstance(said, Completed) or said.returncode != 0:
        return None
    try:
        return msgspec.json.decode(said.stdout, type=tuple[str, bool, str])
    except (msgspec.DecodeError, RecursionError):
        return None
