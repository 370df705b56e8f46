from __future__ import annotations

from attn_doctor.judgement.report import Finding
from attn_doctor.judgement.rule import judge
from attn_doctor.judgement.rules.unfinished_change import RULE
from attn_doctor.judgement.view import Machine
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Known
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probes.changes import Changes
from attn_doctor.machine.probes.python import Python


def judged(title: str) -> Finding:
    readings = dict(whatif.simulate([]).readings)
    readings["changes"] = Known(Changes("0007", title), source="a note")
    readings["python"] = Known(Python("3.12.3", prefix="/my venv", executable="/my venv/bin/python"), source="here")
    found = judge(RULE, Machine(Facts(readings=readings)))
    assert isinstance(found, Finding)
    return found


def test_it_says_what_was_interrupted_and_how_to_go_back() -> None:
    found = judged("triton 3.4.0")
    assert (found.code, found.severity) == ("AD321", "error")
    assert found.detail.startswith("change 0007 (triton 3.4.0) of this environment was interrupted")
    assert found.fix == ("attn-doctor rollback --python '/my venv/bin/python'",)
    assert judged("").detail.startswith("change 0007 of this environment")


def test_silent_where_none_is_open() -> None:
    assert judge(RULE, Machine(whatif.simulate([]))) is None
