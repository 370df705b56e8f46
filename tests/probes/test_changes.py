from __future__ import annotations

import json

import pytest

from attn_doctor.machine.facts import Absent
from attn_doctor.machine.host import CannotLook
from attn_doctor.machine.probes.changes import PROBE, Changes, parse_note
from support import REFUSED, VENV, Described, ask, value

STATE = "/home/ada/.local/state/attn-doctor"
HOME = {"HOME": "/home/ada"}


def note(target: str = "/venv") -> str:
    return json.dumps({"target": target, "title": "triton 3.4.0", "change": f"{STATE}/changes/0007"})


def machine(target: str = "/venv", env: dict[str, str] = HOME, **said: object) -> Described:
    return Described({f"{STATE}/open/0007": note(target), "/venv/pyvenv.cfg": ""}, env=env, **said)


def test_a_change_that_is_not_over() -> None:
    assert value(ask(PROBE, machine())) == Changes("0007", "triton 3.4.0")


def test_by_the_target_s_real_path_and_of_the_folder_of_packages_in_it() -> None:
    linked = machine("/data/venv", links={"/venv": "/data/venv"})
    assert value(ask(PROBE, linked)).open == "0007"
    assert value(ask(PROBE, machine("/venv/lib/python3.12/site-packages"))).open == "0007"


@pytest.mark.parametrize(
    "other",
    [
        machine("/other"),
        machine("/venv2"),
        machine(env=HOME | {"ATTN_DOCTOR_CHANGE": f"{STATE}/changes/0007"}),  # a step of that very change
        machine(env={}),
        machine(env={"XDG_STATE_HOME": "/nothing/there"}),
        Described({f"{STATE}/open/0007": "{"}, env=HOME),
        Described({}, env=HOME),
    ],
)
def test_none_of_this_target(other: Described) -> None:
    assert isinstance(ask(PROBE, other), Absent)


def test_where_the_state_lies() -> None:
    elsewhere = Described({"/state/attn-doctor/open/0001": note()}, env={"XDG_STATE_HOME": "/state"})
    assert value(ask(PROBE, elsewhere)).open == "0001"


def test_notes_that_may_not_be_listed_are_unknown() -> None:
    with pytest.raises(CannotLook):
        ask(PROBE, Described({f"{STATE}/open/": REFUSED}, env=HOME), VENV)


def test_what_is_no_note() -> None:
    assert parse_note("") is None
    assert parse_note('{"target": 1}') is None
