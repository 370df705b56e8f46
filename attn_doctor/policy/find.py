"""Where the policy stands: from the current folder upward to the root of the repository, the nearest one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from attn_doctor.errors import BadInput

OWN_FILE = "attn-doctor.toml"
PYPROJECT = "pyproject.toml"
TABLE = "attn-doctor"
REPOSITORY = (".git", ".hg")
LIMIT_BYTES = 4 << 20


class Found(msgspec.Struct, frozen=True):
    """A file that holds a policy. `name`: as messages call it, from the working folder."""

    path: str
    name: str
    data: bytes
    in_pyproject: bool
    passed_over: str | None = None  # another one beside it, which does not count


def found(folder: str | None = None) -> Iterator[Found]:
    """Files that may hold the policy, the nearest first. In one folder attn-doctor.toml wins over pyproject.toml.

    Raises BadInput for one that cannot be read.
    """
    for here in upward(folder):
        own = os.path.join(here, OWN_FILE)
        project = os.path.join(here, PYPROJECT)
        data = _of_project(project)
        if os.path.isfile(own):
            passed_over = None if data is None else shown(project)
            yield Found(own, shown(own), _read(own), in_pyproject=False, passed_over=passed_over)
        elif data is not None:
            yield Found(project, shown(project), data, in_pyproject=True)


def named(file: str) -> Found:
    """The policy that `--policy FILE` names: of a pyproject.toml its table, of any other file the whole of it."""
    try:
        path = os.path.abspath(os.path.expanduser(file))
    except FileNotFoundError:
        raise BadInput(f"cannot read {file}: the working folder is gone") from None
    data = _read(path)
    return Found(path, file, data, in_pyproject=os.path.basename(path) == PYPROJECT or mentions(data))


def upward(folder: str | None = None) -> Iterator[str]:
    """The folder and those above it, as far as the root of the repository."""
    try:
        here = os.path.abspath(folder or os.curdir)
    except FileNotFoundError:  # the working folder is gone
        return
    while True:
        yield here
        above = os.path.dirname(here)
        if above == here or _is_root(here):
            return
        here = above


def project(folder: str | None = None) -> list[str]:
    """The folders that belong to the project for certain: as far as its repository, or this one alone."""
    folders = [*upward(folder)]
    return folders if folders and _is_root(folders[-1]) else folders[:1]


def _is_root(folder: str) -> bool:
    return any(os.path.exists(os.path.join(folder, mark)) for mark in REPOSITORY)


def mentions(data: bytes) -> bool:
    """Whether a pyproject.toml may hold the table: cheap, so that any other is not read as TOML."""
    if TABLE.encode() not in data:
        return False
    import re

    name = rb"""["']?tool["']?[ \t]*"""
    table = rb"""["']?attn-doctor["']?[ \t]*[\].=]"""
    # [tool.attn-doctor]; tool.attn-doctor.require = ..; [tool] with the key below it; tool = { .. }
    forms = (name + rb"\.[ \t]*" + table, rb"^[ \t]*\[[ \t]*" + name + rb"\]", rb"^[ \t]*" + name + rb"=")
    return any(re.search(form, data, re.MULTILINE) for form in forms)


def shown(path: str) -> str:
    """A path as people write it from here: relative where that is no longer; with slashes on every system."""
    try:
        relative = os.path.relpath(path)
    except (ValueError, FileNotFoundError):  # another drive; the working folder is gone
        return path
    return min(relative, path, key=len).replace(os.sep, "/")


def _of_project(path: str) -> bytes | None:
    """A pyproject.toml that may hold the table; None where there is none."""
    try:
        data = _bytes(path)
    except PermissionError as error:
        raise BadInput(f"cannot read {shown(path)}: {error.strerror}") from error
    except OSError:
        return None
    return data if len(data) <= LIMIT_BYTES and mentions(data) else None


def _read(path: str) -> bytes:
    try:
        data = _bytes(path)
    except OSError as error:
        raise BadInput(f"cannot read {shown(path)}: {error.strerror}") from error
    if len(data) > LIMIT_BYTES:
        raise BadInput(f"{shown(path)}: larger than {LIMIT_BYTES >> 20} MiB: that is no policy")
    return data


def _bytes(path: str) -> bytes:
    with open(path, "rb", opener=_regular) as file:
        return file.read(LIMIT_BYTES + 1) or b""


def _regular(path: str, flags: int) -> int:
    """Never wait for the writer of a FIFO that somebody called pyproject.toml."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
