"""Every format of one report: the same findings, and the same exit code read back from it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

import imagined
from attn_doctor.judgement.check import exit_code
from attn_doctor.judgement.report import Report
from attn_doctor.reporters import formats
from reporters.runner import commands
from reporters.shapes import FORMS, expected, machines, rendered, unmet

Found = list[tuple[str, str, bool]]
HEADING = re.compile(r"^(?:### )?(AD\d{3}) (error|warning|info)(, ignored)?\b", re.MULTILINE)


def in_lines(said: str) -> Found:
    return sorted((code, severity, bool(ignored)) for code, severity, ignored in HEADING.findall(said))


def in_github(said: str) -> Found:
    by_command = {"error": "error", "warning": "warning", "notice": "info"}
    found = []
    text = in_lines(said)
    for command, properties, _ in commands(said):
        code, _, rest = properties.get("title", "").partition(" ")
        if code.startswith("AD"):
            ignored = rest.startswith("(ignored)")
            severity = next(s for c, s, _ in text if c == code) if ignored else by_command[command]
            found.append((code, severity, ignored))
    assert sorted(found) == text, "the annotations and the text behind them"
    return sorted(found)


def in_gitlab(said: str) -> Found:
    severity = {"critical": "error", "major": "warning", "info": "info"}
    return sorted(
        (one["check_name"], severity[one["severity"]], one["description"].startswith("(ignored)"))
        for one in json.loads(said)
        if one["check_name"].startswith("AD")
    )


def in_sarif(said: str) -> Found:
    severity = {"error": "error", "warning": "warning", "note": "info"}
    return sorted(
        (one["ruleId"], severity[one["level"]], bool(one["suppressions"]))
        for one in json.loads(said)["runs"][0]["results"]
        if one["ruleId"].startswith("AD")
    )


def in_junit(said: str) -> Found:
    found = []
    for case in ET.fromstring(said).iter("testcase"):
        code = case.get("name", "").partition(" ")[0]
        outcome = next(iter(case), None)
        if not code.startswith("AD") or outcome is None:
            continue
        if outcome.tag == "failure":
            found.append((code, "failed", False))
        elif said_so := re.match(r"AD\d{3} (\w+)(, ignored)?: ", outcome.get("message") or outcome.text or ""):
            found.append((code, said_so[1], bool(said_so[2])))
    return sorted(found)


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.text += "\n" if tag in ("h3", "p", "pre", "tr", "li") else ""

    def handle_data(self, data: str) -> None:
        self.text += data


def in_html(said: str) -> Found:
    page = Page()
    page.feed(said)
    return in_lines(page.text)


def in_json(said: str) -> Found:
    return sorted((one["code"], one["severity"], one["ignored"]) for one in json.loads(said)["findings"])


READ: dict[str, Callable[[str], Found]] = {
    "github": in_github, "gitlab": in_gitlab, "html": in_html, "json": in_json,
    "junit": in_junit, "markdown": in_lines, "sarif": in_sarif, "text": in_lines,
}  # fmt: skip


def of_junit(report: Report) -> Found:
    """A failure does not say its severity: it fails because it counts."""
    counting = {"error": ("error",), "warning": ("error", "warning"), "never": ()}[report.fail_on]
    return sorted(
        (code, "failed" if severity in counting and not ignored else severity, ignored)
        for code, severity, ignored in expected(report)
    )


def test_the_formats_are_those_that_are_tested_here() -> None:
    assert formats() == sorted(FORMS) == sorted(READ)


@pytest.mark.parametrize("form", FORMS)
def test_every_machine_has_the_same_findings_in_every_format(form: str) -> None:
    ignored = 0
    for name, report in machines().items():
        known = of_junit(report) if form == "junit" else expected(report)
        said = rendered(report, form)
        # GitLab has one severity for what is ignored
        if form == "gitlab":
            known = sorted((code, "info" if ignored else severity, ignored) for code, severity, ignored in known)
        assert READ[form](said) == known, name
        ignored += sum(one.ignored for one in report.findings)
        for backend in unmet(report):
            shown = f'"{backend}": false' if form == "json" else backend
            assert shown in said, name
    assert ignored > 10


def test_the_exit_code_can_be_read_from_what_programs_get() -> None:
    seen = set()
    for name, report in machines().items():
        code = exit_code(report, report.fail_on)
        suites = ET.fromstring(rendered(report, "junit"))
        failures, errors = int(suites.get("failures", "")), int(suites.get("errors", ""))
        assert (1 if failures else 3 if errors else 0) == code, name
        assert json.loads(rendered(report, "sarif"))["runs"][0]["invocations"][0]["exitCode"] == code, name
        document = json.loads(rendered(report, "json"))
        assert document["fail_on"] == report.fail_on
        seen.add(code)
    assert seen == {0, 1}


KEYS = ("gpu=NVIDIA GeForce RTX 3050", "vram=4GiB", "driver=555.99", "nvcc=12.5", "torch=2.7.1+cu118")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 0),
        (("--fail-on", "warning"), 1),
        (("--fail-on", "warning", "--ignore", "AD214"), 0),
        (("--require", "fa3"), 1),
        (("--require", "sdpa", "--fail-on", "never"), 0),
    ],
)
def test_the_command_ends_alike_in_every_format(options: tuple[str, ...], code: int) -> None:
    assert {
        form: imagined.checked(*KEYS, options=("--format", form, *options)).code for form in FORMS
    } == dict.fromkeys(FORMS, code)


def test_what_could_not_be_read_is_said_in_every_format() -> None:
    from msgspec.structs import replace

    report = replace(
        machines()["linux-a100-2.13.0-mainstream"], unreadable=("torch: version.py is not UTF-8",), findings=()
    )
    assert exit_code(report, report.fail_on) in (1, 3)
    for form in FORMS:
        assert "version.py is not UTF-8" in rendered(report, form), form
    run = json.loads(rendered(report, "sarif"))["runs"][0]
    assert run["invocations"][0]["executionSuccessful"] is False
