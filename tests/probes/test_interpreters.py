"""Another interpreter for an environment whose own is gone, on machines described by their files."""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec
import pytest

from attn_doctor.machine.interpreters import ASK
from attn_doctor.machine.probes.python import PROBE
from support import VENV, Described, ask, said, value

GONE = msgspec.structs.replace(VENV, base="/home/me/.pyenv/versions/3.12.3/bin")
MINE = {"HOME": "/home/me", "PATH": "/home/me/.pyenv/shims:/usr/bin"}


def found(*pythons: str, lying: tuple[str, ...] = (), target: Any = GONE, env: dict[str, str] | None = None) -> Any:
    """What is taken on a machine that has these; `lying` ones are there and are not what their name says."""
    tag = "t" if target.free_threaded else ""
    answers = {path: said(json.dumps(["3.12", bool(tag), path])) for path in pythons}
    answers |= {path: said("pyenv: python3.12: command not found", 127) for path in lying}
    machine = Described(
        {},
        links={"/venv/bin/python": "/home/me/gone/python3.12"},
        executables={*pythons, *lying},
        env=MINE if env is None else env,
        commands={f"{path} -I -c {ASK}": answer for path, answer in answers.items()},
    )
    python = value(ask(PROBE, machine, target))
    assert python.interpreter_gone
    return python.instead


OLDER, NEWER = (f"/home/me/.pyenv/versions/3.12.{patch}/bin/python3.12" for patch in (9, 10))
UVS = "/home/me/.local/share/uv/python/cpython-3.12.11-linux-x86_64-gnu/bin/python3.12"


def test_of_the_same_make_first_and_of_these_the_newest() -> None:
    assert found("/usr/bin/python3.12", UVS, OLDER, NEWER) == NEWER


@pytest.mark.parametrize(
    ("path", "env"),
    [
        ("/usr/bin/python3.12", MINE),
        (UVS, MINE),
        (NEWER, MINE),
        ("/data/uv/python/cpython-3.12-linux/bin/python3.12", MINE | {"XDG_DATA_HOME": "/data"}),
        ("/uvs/cpython-3.12-linux/bin/python3.12", MINE | {"UV_PYTHON_INSTALL_DIR": "/uvs"}),
        ("/pyenv/versions/3.12.0/bin/python3.12", MINE | {"PYENV_ROOT": "/pyenv"}),
        ("/usr/local/bin/python3.12", {}),
        ("/Library/Frameworks/Python.framework/Versions/3.12/bin/python3.12", {}),
    ],
)
def test_each_place_is_looked_at(path: str, env: dict[str, str]) -> None:
    other = msgspec.structs.replace(GONE, base="/opt/python-3.12.3/bin")
    assert found(path, target=other, env=env) == path
    assert found(path.replace("3.12", "3.13"), target=other, env=env) is None


def test_one_that_runs_attn_doctor() -> None:
    own = getattr(sys, "_base_executable", sys.executable)
    assert found(own) == own


def test_a_shim_that_is_there_for_a_version_that_is_not() -> None:
    shim = "/home/me/.pyenv/shims/python3.12"
    assert found(lying=(shim,)) is None
    assert found("/usr/local/bin/python3.12", lying=(shim,)) == "/usr/local/bin/python3.12"


def test_without_the_lock_only_for_what_was_made_without_it() -> None:
    free = msgspec.structs.replace(GONE, free_threaded=True)
    assert found("/usr/bin/python3.12", target=free) is None
    assert found("/usr/bin/python3.12t", target=free) == "/usr/bin/python3.12t"


def test_nothing_is_run_where_nothing_may_be() -> None:
    assert found("/usr/bin/python3.12", env=MINE | {"ATTN_DOCTOR_RUN_NO_PYTHON": "1"}) is msgspec.UNSET


def test_nothing_is_looked_for_where_nothing_is_gone() -> None:
    machine = Described({}, executables={"/venv/bin/python"})
    assert value(ask(PROBE, machine)).instead is msgspec.UNSET
