"""A report as a list of entries, as programs and CI take it: its findings, and what else decides the exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement.report import SEVERITIES, Location, Severity
from attn_doctor.reporters._lines import harmless

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Finding, Report
    from attn_doctor.judgement.verdict import BackendVerdict

REQUIRED = "required-backend"  # the codes of entries that are no findings
NOT_READ = "not-read"
BY_POLICY = "AD503"  # a finding of its own, which begins with the name of the backend
# what speaks of the environment has no file in the project; formats that demand one get this
NO_FILE = "environment"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `counts`: it makes the exit code 1."""

    code: str
    severity: Severity
    title: str
    detail: str
    fix: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    ignored: bool = False
    counts: bool = False
    location: Location | None = None
    fingerprint: str = ""


def entries(report: Report) -> tuple[Entry, ...]:
    """Every finding, every required backend that is not ready, every fact without which there is no verdict."""
    listed = [*_findings(report), *_unmet(report), *_unread(report)]
    seen: Counter[str] = Counter()
    found: list[Entry] = []
    for one in listed:
        key = f"{one.code}|{one.location.file if one.location else ''}|{one.title if one.code == REQUIRED else ''}"
        seen[key] += 1
        found.append(msgspec.structs.replace(one, fingerprint=_fingerprint(key, seen[key])))
    return tuple(found)


def _fingerprint(key: str, place: int) -> str:
    """The same in every run: neither the line nor the numbers of a detail are part of it."""
    return sha256(f"attn-doctor/1|{key}|{place}".encode()).hexdigest()[:32]


def _findings(report: Report) -> Iterator[Entry]:
    for finding in report.findings:
        yield Entry(
            code=finding.code,
            severity=finding.severity,
            title=line(finding.title),
            detail=paragraph(finding.detail),
            fix=tuple(line(command) for command in finding.fix),
            evidence=tuple(line(one) for one in finding.evidence),
            ignored=finding.ignored,
            counts=counts(report, finding),
            location=finding.location,
        )


def counts(report: Report, finding: Finding) -> bool:
    """Whether this finding makes the exit code 1."""
    if finding.ignored or report.fail_on == "never":
        return False
    return SEVERITIES.index(finding.severity) <= SEVERITIES.index(report.fail_on)


def _unmet(report: Report) -> Iterator[Entry]:
    said = {finding.detail.partition(" ")[0] for finding in report.findings if finding.code == BY_POLICY}
    for verdict in report.backends:
        if report.required.get(verdict.name) is False and verdict.name not in said:
            yield Entry(
                code=REQUIRED,
                severity="error",
                title=f"{verdict.name} is required and {verdict.status}",
                detail=paragraph("\n".join(verdict.reasons) or f"{verdict.name} is {verdict.status}"),
                fix=_way(report, verdict),
                counts=True,
            )


def _way(report: Report, verdict: BackendVerdict) -> tuple[str, ...]:
    advice = report.recommendation
    if advice.best == verdict.name and advice.next_step:
        return (line(advice.next_step),)
    return (f"attn-doctor install {verdict.name} --dry-run",) if verdict.status == "installable" else ()


def _unread(report: Report) -> Iterator[Entry]:
    for reason in report.unreadable:
        name, _, why = reason.partition(": ")
        yield Entry(
            code=NOT_READ, severity="error", title=f"no verdict: {line(name)} could not be read", detail=paragraph(why)
        )


def line(text: str) -> str:
    """One line in which nothing steers whatever shows it."""
    return harmless(" ".join(text.split("\n"))).strip()


def paragraph(text: str) -> str:
    """The same with its line ends kept."""
    return "\n".join(harmless(one) for one in text.split("\n")).strip()


def label(entry: Entry) -> str:
    """'AD103 error' or 'AD103 error, ignored'."""
    return f"{entry.code} {entry.severity}{', ignored' if entry.ignored else ''}"
