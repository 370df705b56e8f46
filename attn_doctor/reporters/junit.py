"""JUnit XML, as Jenkins and GitLab read it: a test for every rule, one for every required backend.

A test fails where it makes the exit code 1. A finding that does not is passed and says so in its output; one that is
ignored, and a rule that could not be judged, is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement.rule import rules
from attn_doctor.reporters._entries import NOT_READ, REQUIRED, entries, label, line
from attn_doctor.reporters._lines import escaped

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.reporters._entries import Entry


class Case(msgspec.Struct, frozen=True):
    """One test: its name, and the element that says how it went."""

    name: str
    outcome: str = ""  # failure, error, skipped, system-out; empty: passed
    message: str = ""
    text: str = ""
    kind: str = ""


def render(report: Report, *, verbose: bool, elapsed_s: float | None, plain: bool) -> str:  # noqa: ARG001 - a document is always whole
    """Two suites: what is wrong, and what is required."""
    listed = entries(report)
    suites = [("attn-doctor.findings", [*_rules(report, listed)])]
    if report.required:
        suites.append(("attn-doctor.required", [*_required(report, listed)]))
    if report.unreadable:
        unread = [Case(one.title, "error", one.title, one.detail, one.code) for one in listed if one.code == NOT_READ]
        suites.append(("attn-doctor.facts", unread))
    cases = [case for _, suite in suites for case in suite]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="attn-doctor" {_counts(cases)}>']
    for name, suite in suites:
        lines += _suite(name, suite)
    return "\n".join((*lines, "</testsuites>")) + "\n"


def _rules(report: Report, listed: Sequence[Entry]) -> Iterator[Case]:
    """Every rule there is, and every finding; those of the policy have codes of their own."""
    found = [entry for entry in listed if entry.code not in (REQUIRED, NOT_READ)]
    skipped = {one.code: line(one.reason) for one in report.skipped}
    for entry in found:
        yield _finding(entry)
    silent = {code: rule for code, rule in rules().items() if code not in {entry.code for entry in found}}
    for code, rule in silent.items():
        name = f"{code} {rule.name}"
        yield Case(name, "skipped", skipped[code]) if code in skipped else Case(name)


def _finding(entry: Entry) -> Case:
    rule = rules().get(entry.code)
    name = f"{entry.code} {rule.name if rule else entry.title}"
    if entry.ignored:
        return Case(name, "skipped", f"{label(entry)}: {entry.title}", _text(entry))
    if entry.counts:
        return Case(name, "failure", entry.title, _text(entry), entry.code)
    return Case(name, "system-out", text=f"{label(entry)}: {entry.title}\n{_text(entry)}")


def _required(report: Report, listed: Sequence[Entry]) -> Iterator[Case]:
    unmet = {entry.title.partition(" ")[0]: entry for entry in listed if entry.code == REQUIRED}
    for verdict in report.backends:
        if verdict.name in unmet:
            entry = unmet[verdict.name]
            yield Case(verdict.name, "failure", entry.title, _text(entry), REQUIRED)
        elif verdict.name in report.required:  # ready, or its breach of the policy is a finding
            yield Case(verdict.name)


def _text(entry: Entry) -> str:
    place = (f"at {entry.location.file}:{entry.location.line}",) if entry.location else ()
    seen = (f"seen: {one}" for one in entry.evidence)
    return "\n".join((entry.detail, *place, *seen, *(f"fix: {command}" for command in entry.fix)))


def _counts(cases: Sequence[Case]) -> str:
    failures, errors = (sum(case.outcome == outcome for case in cases) for outcome in ("failure", "error"))
    return f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'


def _suite(name: str, cases: Sequence[Case]) -> Iterator[str]:
    skipped = sum(case.outcome == "skipped" for case in cases)
    yield f'  <testsuite name="{name}" {_counts(cases)} skipped="{skipped}">'
    for case in cases:
        start = f'    <testcase classname="{name}" name="{_attribute(case.name)}"'
        if not case.outcome:
            yield f"{start}/>"
            continue
        yield f"{start}>"
        yield f"      {_outcome(case)}"
        yield "    </testcase>"
    yield "  </testsuite>"


def _outcome(case: Case) -> str:
    attributes = f' message="{_attribute(case.message)}"' if case.message else ""
    attributes += f' type="{_attribute(case.kind)}"' if case.kind else ""
    return f"<{case.outcome}{attributes}>{escaped(case.text)}</{case.outcome}>"


def _attribute(text: str) -> str:
    return escaped(text).replace("\n", "&#10;")  # a bare line end would be read as a blank
