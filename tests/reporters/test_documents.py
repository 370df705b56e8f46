"""SARIF, JUnit and code quality against the schemas of those who read them."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from functools import cache
from typing import Any

import jsonschema
import pytest
import xmlschema
from hypothesis import given, settings
from msgspec.structs import replace

from attn_doctor.judgement.report import Finding, Location, Policy, Setting
from reporters import shapes
from reporters.shapes import machines, plain, rendered, with_findings


@cache
def sarif() -> Any:
    schema = json.loads((shapes.SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(schema)(schema, format_checker=jsonschema.FormatChecker())


@cache
def junit() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(shapes.SCHEMAS / "junit-10.xsd"))


# what GitLab's documentation of code quality reports demands of each issue
ISSUES = jsonschema.Draft202012Validator(
    {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["description", "check_name", "fingerprint", "severity", "location"],
            "properties": {
                "description": {"type": "string", "minLength": 1},
                "check_name": {"type": "string", "minLength": 1},
                "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{32,}$"},
                "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
                "location": {
                    "type": "object",
                    "required": ["path", "lines"],
                    "properties": {
                        "path": {"type": "string", "pattern": "^(?!\\./|/)."},
                        "lines": {
                            "type": "object",
                            "required": ["begin"],
                            "properties": {"begin": {"type": "integer"}},
                        },
                    },
                },
            },
        },
    }
)


def check(form: str, said: str) -> None:
    if form == "junit":
        junit().validate(said)
    else:
        (sarif() if form == "sarif" else ISSUES).validate(json.loads(said))


@pytest.mark.parametrize("form", ["sarif", "junit", "gitlab"])
def test_every_machine_validates(form: str) -> None:
    for report in machines().values():
        check(form, rendered(report, form))


@settings(max_examples=60)
@given(shapes.findings, shapes.findings)
def test_any_finding_validates_and_comes_back(one: Finding, other: Finding) -> None:
    report = with_findings(one, other)
    for form in ("sarif", "junit", "gitlab"):
        check(form, rendered(report, form))
    first = json.loads(rendered(report, "sarif"))["runs"][0]["results"][0]
    assert first["message"]["text"].startswith(f"{shapes.one_line(one.title)}.\n{shapes.harmless(one.detail)}")
    assert first["properties"]["fix"] == [shapes.one_line(fix) for fix in one.fix]
    case = next(ET.fromstring(rendered(report, "junit")).iter("testcase"))
    assert (case[0].text or "").split("seen: ")[0].strip().find(shapes.harmless(one.detail)) >= 0
    issues = json.loads(rendered(report, "gitlab"))
    assert " ".join(shapes.harmless(one.detail).split()) in issues[0]["description"]
    assert len({issue["fingerprint"] for issue in issues}) == 2, "GitLab drops an issue whose fingerprint stood before"


def test_the_schemas_would_say_so() -> None:
    document = json.loads(rendered(machines()["linux-rtx5090-2.5.1cu124-no-code"], "sarif"))
    document["runs"][0]["results"][0]["level"] = "fatal"
    assert not sarif().is_valid(document)
    assert not junit().is_valid("<testsuites><testsuite name='a'/></testsuites>")
    assert not ISSUES.is_valid([{"description": "a"}])


def at(line: int, detail: str = "torch 2.5 is not at least 2.8") -> Finding:
    return Finding(
        code="AD501", severity="error", title="a version is outside the policy", detail=detail, evidence=(), fix=(),
        docs="", location=Location("my project/pyproject.toml", line, 5),
    )  # fmt: skip


def results(*findings: Finding) -> list[Any]:
    return json.loads(rendered(with_findings(*findings), "sarif"))["runs"][0]["results"]


def test_a_place_is_a_uri_from_the_root() -> None:
    (place,) = results(at(14))[0]["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "my%20project/pyproject.toml", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 14, "startColumn": 5},
    }


def test_a_fingerprint_survives_a_moved_line_and_another_number() -> None:
    def known(*findings: Finding) -> list[str]:
        return [one["partialFingerprints"]["primaryLocationLineHash"] for one in results(*findings)]

    assert known(at(14)) == known(at(20, "torch 2.6 is not at least 2.8"))
    assert len(set(known(at(14), at(15)))) == 2
    gitlab = json.loads(rendered(with_findings(at(14)), "gitlab"))
    assert known(at(14)) == [f"{gitlab[0]['fingerprint']}:1"]


def test_what_is_ignored_is_suppressed_and_skipped() -> None:
    one = replace(at(14), ignored=True)
    (suppression,) = results(one)[0]["suppressions"]
    assert suppression == {"kind": "external", "status": "accepted", "justification": "--ignore on the command line"}
    assert results(at(14))[0]["suppressions"] == []
    suites = ET.fromstring(rendered(with_findings(one), "junit"))
    assert suites.get("failures") == "0"
    skipped = next(suites.iter("skipped"))
    assert (skipped.get("message") or "").startswith("AD501 error, ignored: ")


def test_a_reason_of_the_policy_is_the_justification() -> None:
    told = Setting("ignore", "AD501 until 2999-01-31: moved in spring", "pyproject.toml:9")
    report = with_findings(replace(at(14), ignored=True))
    report = replace(report, policy=Policy(file="pyproject.toml", settings=(told,)))
    (result,) = json.loads(rendered(report, "sarif"))["runs"][0]["results"]
    assert result["suppressions"][0]["justification"] == ("AD501 until 2999-01-31: moved in spring [pyproject.toml:9]")


def test_every_rule_that_has_a_result_brings_its_page() -> None:
    run = json.loads(rendered(machines()["linux-rtx5090-2.5.1cu124-no-code"], "sarif"))["runs"][0]
    known = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]] is known[result["ruleId"]]
        assert len(known[result["ruleId"]]["help"]["text"].split()) > 5
    assert known["AD103"]["name"] == "NoCodeForGpu"
    assert known["AD103"]["defaultConfiguration"] == {"level": "error"}


def test_a_test_for_every_rule_and_requirement() -> None:
    from attn_doctor.judgement.rule import rules

    suites = ET.fromstring(rendered(plain(), "junit"))
    names = [case.get("name", "") for case in suites.iter("testcase")]
    assert sorted(name.partition(" ")[0] for name in names[:-1]) == sorted(rules())
    assert names[-1] == "eager"
    assert suites.get("tests") == str(len(names))
