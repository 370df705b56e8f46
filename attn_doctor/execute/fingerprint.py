"""Two folders that are alike have the same fingerprint: what lies where, how large, and when it was last written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from stat import S_ISDIR, S_ISLNK, S_ISREG

from attn_doctor.execute.kept import MARKER
from attn_doctor.plan.steps import AREA

OURS_AND_PYTHONS = {"__pycache__", MARKER, AREA}  # a call of Python writes the first, a change of ours the others


def fingerprint(folder: str) -> str:
    """Of every file and link below a folder: path, kind and mode, size, time of change; of a link where it leads."""
    found = sha256()
    for line in _every(folder, ""):
        found.update(line.encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def _every(folder: str, name: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        yield f"{name}\0cannot be listed\n"
        return
    for one in inside:
        if one.name in OURS_AND_PYTHONS:
            continue
        path = f"{name}/{one.name}"
        try:
            state = one.stat(follow_symlinks=False)
            if S_ISLNK(state.st_mode):
                yield f"{path}\0{os.readlink(one.path)}\n"
            elif S_ISREG(state.st_mode):
                yield f"{path}\0{state.st_mode:o}\0{state.st_size}\0{state.st_mtime_ns}\n"
            else:
                yield f"{path}\0{state.st_mode:o}\n"
            if S_ISDIR(state.st_mode):
                yield from _every(one.path, path)
        except OSError:
            yield f"{path}\0cannot be read\n"
