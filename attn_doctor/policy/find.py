"""Where the policy stands: from the current folder upward to the root of its repository, the nearest one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from attn_doctor.errors import BadInput
from attn_doctor.policy import files

OWN_FILE = "attn-doctor.toml"
PYPROJECT = "pyproject.toml"
TABLE = "attn-doctor"
REPOSITORY = (".git", ".hg")


class Found(msgspec.Struct, frozen=True):
    """A file that holds a policy. `name`: as messages call it, from the working folder."""

    path: str
    name: str
    data: bytes
    in_pyproject: bool
    passed_over: str | None = None  # another one beside it, which does not count
    ours: bool = True  # it was named, or it is a file of this user's or of root's: what it names may be run


def found(folder: str | None = None) -> Iterator[Found]:
    """Files that may hold the policy, the nearest first. In one folder attn-doctor.toml wins over pyproject.toml.

    Raises BadInput for one that cannot be read.
    """
    for here in project(folder):
        own = os.path.join(here, OWN_FILE)
        shared = os.path.join(here, PYPROJECT)
        beside = _of_project(shared)
        if os.path.isfile(own):
            passed_over = None if beside is None else shown(shared)
            one = _read(own)
            yield Found(own, shown(own), one.data, in_pyproject=False, passed_over=passed_over, ours=one.ours)
        elif beside is not None:
            yield Found(shared, shown(shared), beside.data, in_pyproject=True, ours=beside.ours)


def named(file: str) -> Found:
    """The policy that `--policy FILE` names: of a pyproject.toml its table, of any other file the whole of it."""
    try:
        path = os.path.abspath(os.path.expanduser(file))
    except FileNotFoundError:
        raise BadInput(f"cannot read {file}: the working folder is gone") from None
    data = _read(path).data
    return Found(path, file, data, in_pyproject=os.path.basename(path) == PYPROJECT or mentions(data))


def _upward(folder: str | None) -> Iterator[str]:
    """The folder and those above it, as far as the root of a repository, else to that of the machine."""
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
    """The folders that belong to the project for certain: as far as its repository, or this one alone.

    What lies above a folder without a repository may be anybody's: /tmp, /scratch.
    """
    folders = [*_upward(folder)]
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


def _of_project(path: str) -> files.Content | None:
    """A pyproject.toml that may hold the table; None where there is none."""
    try:
        found = files.read(path)
    except PermissionError as error:
        raise BadInput(f"cannot read {shown(path)}: {error.strerror}") from error
    except OSError:
        return None
    return found if len(found.data) <= files.LIMIT_BYTES and mentions(found.data) else None


def _read(path: str) -> files.Content:
    try:
        found = files.read(path)
    except OSError as error:
        raise BadInput(f"cannot read {shown(path)}: {error.strerror}") from error
    if len(found.data) > files.LIMIT_BYTES:
        raise BadInput(f"{shown(path)}: larger than {files.LIMIT_BYTES >> 20} MiB: that is no policy")
    return found
