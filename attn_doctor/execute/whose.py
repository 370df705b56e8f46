"""Which targets a call speaks of, by their paths alone: one that is broken, or gone, can still be put back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from attn_doctor.execute.change import changes


def targets(python: str | None, venv: str | None) -> Iterator[str]:
    """Targets of known changes that the call means, in the order in which `check` would look for one."""
    known = list(dict.fromkeys(change.target for change in changes()))
    if not known:
        return
    for folder in _folders(python, venv):
        found = [target for target in known if target == folder or target.startswith(f"{folder}/lib/python")]
        yield from found
        if found or _is_environment(folder):
            return


def _folders(python: str | None, venv: str | None) -> Iterator[str]:
    """The same order as machine/target.py; what is not there may be what has to be put back."""
    if python is not None:
        yield _of_python(os.path.abspath(os.path.expanduser(python)))
    elif venv is not None:
        yield _real(venv)
    elif active := os.environ.get("VIRTUAL_ENV"):
        yield _real(active)
    else:
        yield _real(".venv")
        if conda := os.environ.get("CONDA_PREFIX"):
            yield _real(conda)
        yield _real(sys.prefix)


def _real(folder: str) -> str:
    return os.path.realpath(os.path.expanduser(folder))


def _of_python(path: str) -> str:
    prefix = os.path.dirname(os.path.dirname(path))
    if _is_environment(prefix) or not os.path.lexists(path):
        return os.path.realpath(prefix)
    return os.path.dirname(os.path.dirname(os.path.realpath(path)))


def _is_environment(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "pyvenv.cfg")) or os.path.isdir(os.path.join(folder, "conda-meta"))
