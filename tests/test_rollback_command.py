"""`attn-doctor rollback` and `history` as users and scripts call them: nothing to do, and calls that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

import attn_doctor

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import Ran

SCHEMA = json.loads((Path(attn_doctor.__file__).parent / "schemas/history.json").read_text(encoding="utf-8"))


@pytest.fixture
def state(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "lib/python3.12/site-packages").mkdir(parents=True)
    (folder / "bin/python").touch()
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.3\n")
    return folder


def test_nothing_was_ever_changed(cli: Callable[..., Ran], state: dict[str, str], venv: Path, tmp_path: Path) -> None:
    ran = cli("history", "--venv", venv, env=state)
    assert (ran.code, ran.out) == (0, "No change of attn-doctor's is known here.\n")
    document = cli("history", "--venv", venv, "--format", "json", env=state).json()
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert (document["schema"], document["changes"]) == ("attn-doctor/history/1", [])
    ran = cli("rollback", "--yes", "--venv", venv, env=state)
    assert (ran.code, ran.out) == (1, "")
    assert "there is nothing to put back" in " ".join(ran.err.split())
    assert not (tmp_path / "state").exists(), "to look leaves no trace"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("rollback", "0007", "--yes"), 2),
        (("rollback", "../..", "--yes"), 2),
        (("history", "--prune", "0007"), 2),
        (("history", "--format", "sarif"), 2),
        (("history", "--all"), 2),
        (("rollback", "--python", "python"), 2),
        (("rollback", "--nonsense"), 2),
    ],
)
def test_calls_that_cannot_be_done(
    cli: Callable[..., Ran], state: dict[str, str], venv: Path, arguments: tuple[str, ...], code: int
) -> None:
    ran = cli(*arguments, "--venv", venv, env=state)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.strip()
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("arguments", [("rollback", "xx", "--yes"), ("history", "--prune", "xx")])
def test_a_change_that_is_not_there(
    cli: Callable[..., Ran], state: dict[str, str], venv: Path, arguments: tuple[str, ...]
) -> None:
    said = " ".join(cli(*arguments, "--venv", venv, env=state).err.split())
    assert "there is no change xx of" in said
    assert "not done" not in said
    assert "attn-doctor history" in said


def test_a_target_that_never_was(cli: Callable[..., Ran], state: dict[str, str], tmp_path: Path) -> None:
    for command in (("history",), ("rollback", "--yes")):
        ran = cli(*command, "--venv", tmp_path / "none", env=state)
        assert (ran.code, ran.out) == (2, "")
        assert "there is no folder" in " ".join(ran.err.split())


def test_without_a_home_it_is_said(cli: Callable[..., Ran], venv: Path) -> None:
    ran = cli("rollback", "--yes", "--venv", venv, env={"HOME": None, "XDG_STATE_HOME": None})
    assert ran.code == 3
    assert "Set HOME, or XDG_STATE_HOME" in " ".join(ran.err.split())


def test_every_target(cli: Callable[..., Ran], state: dict[str, str]) -> None:
    ran = cli("history", "--all", env=state)
    assert ran.code == 0
