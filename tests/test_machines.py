"""Every machine of tests/machines through every rule and backend. The expectations stand in the files.

`about` says what is true there and `source` where the machine comes from; `simulate` makes its facts and `need` is what
the model needs. In `expect`: `exit`; `findings`, all codes with an error or a warning; `errors`, those with an error;
`backends`, one status or several that would be right; `kernel` of sdpa, one for all GPUs or one for each; `use_now`.
On a machine that is `healthy` no rule may raise an error or a warning.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import imagined
from attn_doctor.judgement.rule import rules

FOLDER = Path(__file__).parent / "machines"
MACHINES = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))}
HEALTHY = {name: machine for name, machine in MACHINES.items() if machine.get("healthy")}
KEYS = {"about", "source", "simulate", "healthy", "need", "expect"}
EXPECTED = {"exit", "findings", "errors", "backends", "kernel", "use_now"}
LINES = 24

every = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
healthy = pytest.mark.parametrize("machine", HEALTHY.values(), ids=HEALTHY)


def call(machine: dict[str, Any], *options: str) -> imagined.Called:
    needs = tuple(part for item in machine.get("need", ()) for part in ("--need", item))
    return checked(tuple(machine["simulate"]), (*needs, *options))


@cache
def checked(keys: tuple[str, ...], options: tuple[str, ...]) -> imagined.Called:
    """Called once: several tests look at the same answer."""
    return imagined.checked(*keys, options=options)


def test_there_are_enough_of_them() -> None:
    assert len(HEALTHY) >= 30
    systems = {name.partition("-")[0] for name in MACHINES}
    assert systems >= {"linux", "windows", "macos", "wsl"}
    for seed in ("000", "001", "002", "003", "004"):
        assert any(f"seeds/{seed}" in machine["source"] for machine in MACHINES.values()), seed


@every
def test_the_file_is_well_formed(machine: dict[str, Any]) -> None:
    assert not machine.keys() - KEYS
    assert not machine["expect"].keys() - EXPECTED
    assert machine["expect"], "nothing is expected of it"


@every
def test_every_rule_runs_and_the_verdict_is_true(machine: dict[str, Any]) -> None:
    called = call(machine, "--format", "json")
    report = called.json()
    expect = machine["expect"]
    assert called.code in (0, 1), called.err
    assert called.err == ""
    assert report["skipped"] == [], "a rule could not be judged on facts that are all known"
    found = {
        "exit": called.code,
        "findings": imagined.codes(report, *imagined.SEEN),
        "errors": imagined.codes(report, "error"),
        "use_now": report["recommendation"]["use_now"],
    }
    wrong = {key: (found[key], expect[key]) for key in found.keys() & expect.keys() if found[key] != expect[key]}
    for name, allowed in expect.get("backends", {}).items():
        one = imagined.backend(report, name)
        if one["status"] not in ([allowed] if isinstance(allowed, str) else allowed):
            wrong[name] = (one["status"], allowed, one["reasons"])
    if "kernel" in expect:
        chosen = imagined.kernels(report)
        wanted = expect["kernel"] if isinstance(expect["kernel"], dict) else dict.fromkeys(chosen, expect["kernel"])
        if chosen != wanted or not chosen:
            wrong["kernel"] = (chosen, expect["kernel"])
    assert not wrong, f"(got, wanted): {wrong}"


@every
def test_the_report_does_not_contradict_itself(machine: dict[str, Any]) -> None:
    assert imagined.inconsistencies(call(machine, "--format", "json").json()) == []


@every
def test_one_verdict_one_exit_code_whatever_the_format(machine: dict[str, Any]) -> None:
    as_text, as_json = call(machine), call(machine, "--format", "json")
    assert as_text.code == as_json.code
    assert as_text.err == ""
    for code in imagined.codes(as_json.json(), *imagined.SEEN):
        assert code in as_text.out


@every
def test_prose_keeps_to_80_columns(machine: dict[str, Any]) -> None:
    assert imagined.too_wide(call(machine).out) == []


@every
def test_everything_that_is_found_is_in_the_list_of_rules(machine: dict[str, Any]) -> None:
    report = call(machine, "--format", "json").json()
    assert set(imagined.codes(report)) <= set(rules())


@healthy
def test_a_healthy_machine_raises_nothing(machine: dict[str, Any]) -> None:
    report = call(machine, "--format", "json").json()
    raised = [one for one in report["findings"] if one["severity"] in imagined.SEEN]
    assert raised == []
    assert call(machine, "--fail-on", "warning").code == 0


@healthy
def test_a_healthy_machine_fits_one_screen(machine: dict[str, Any]) -> None:
    text = call(machine).out
    assert len(text.splitlines()) <= LINES, text
    assert f"Use {report_of(machine)['recommendation']['use_now']}" in text


def report_of(machine: dict[str, Any]) -> Any:
    return call(machine, "--format", "json").json()


@healthy
def test_a_healthy_machine_stays_so_with_its_backend_required(machine: dict[str, Any]) -> None:
    use_now = report_of(machine)["recommendation"]["use_now"]
    assert call(machine, "--require", use_now).code == 0
