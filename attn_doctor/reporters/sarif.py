"""SARIF 2.1.0, as code scanning reads it: rules and their help, results and their places; ignored means suppressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from attn_doctor.judgement.check import exit_code
from attn_doctor.judgement.rule import rules
from attn_doctor.reporters._entries import NO_FILE, NOT_READ, REQUIRED, entries, line
from attn_doctor.reporters._lines import as_json

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.reporters._entries import Entry

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
PRECISION = {"certain": "very-high", "likely": "medium"}
ROOT = "SRCROOT"
# what stands in the place of a rule's page for an entry that is no finding of a rule
OTHERS = {
    REQUIRED: ("RequiredBackend", "A required backend is not ready", "The call or the project's policy requires it."),
    NOT_READ: ("NotRead", "A fact could not be read", "Without it there is no verdict; the exit code is 3."),
}


def render(report: Report, *, verbose: bool, elapsed_s: float | None, plain: bool) -> str:  # noqa: ARG001 - a document is always whole
    """One run of one tool."""
    listed = entries(report)
    codes = sorted({entry.code for entry in listed})
    return as_json(
        {
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {"driver": _driver(report, listed, codes)},
                    "automationDetails": {"id": "attn-doctor/check/"},
                    "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the project's sources."}}},
                    "invocations": [_invocation(report)],
                    "columnKind": "unicodeCodePoints",
                    "results": [_result(report, entry, codes.index(entry.code)) for entry in listed],
                    "properties": {
                        "needs": report.needs,
                        "required": report.required,
                        "backends": {verdict.name: verdict.status for verdict in report.backends},
                        "useNow": report.recommendation.use_now,
                    },
                }
            ],
        }
    )


def _driver(report: Report, listed: Sequence[Entry], codes: Sequence[str]) -> dict[str, Any]:
    return {
        "name": "attn-doctor",
        "version": report.version,
        "semanticVersion": report.version,
        "rules": [_rule(code, next(entry for entry in listed if entry.code == code)) for code in codes],
    }


def _rule(code: str, entry: Entry) -> dict[str, Any]:
    """A rule as it is documented; an entry that no rule made explains itself."""
    rule = rules().get(code)
    if rule is None:
        name, title, help_text = OTHERS.get(code, (code, entry.title, entry.detail))
        level, precision = LEVELS[entry.severity], "very-high"
    else:
        name = "".join(word.capitalize() for word in rule.name.split("-"))
        title, help_text = rule.title, _help(rule.doc)
        level, precision = LEVELS[rule.severity], PRECISION[rule.confidence]
    title = title[0].upper() + title[1:]
    return {
        "id": code,
        "name": name,
        "shortDescription": {"text": f"{title}."},
        "fullDescription": {"text": help_text.partition("\n\n")[0]},
        "help": {"text": help_text, "markdown": f"{help_text}\n\nOn a terminal: `attn-doctor rule {code}`"},
        "defaultConfiguration": {"level": level},
        "properties": {"precision": precision, "tags": ["attention", "environment"]},
    }


def _help(doc: str) -> str:
    """The page of a rule without its heading, each paragraph on one line."""
    _, _, body = doc.strip().partition("\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in body.strip().split("\n\n"))


def _invocation(report: Report) -> dict[str, Any]:
    """`executionSuccessful`: there is a verdict, whatever it is."""
    return {
        "executionSuccessful": not report.unreadable,
        "exitCode": exit_code(report, report.fail_on),
        "toolExecutionNotifications": [
            *({"level": "error", "message": {"text": line(f"not read: {reason}")}} for reason in report.unreadable),
            *(
                {"level": "note", "message": {"text": line(f"{skipped.code} skipped: {skipped.reason}")}}
                for skipped in report.skipped
            ),
        ],
    }


def _result(report: Report, entry: Entry, index: int) -> dict[str, Any]:
    return {
        "ruleId": entry.code,
        "ruleIndex": index,
        "kind": "fail",
        "level": LEVELS[entry.severity],
        "message": {"text": "\n".join(_said(entry)), "markdown": "\n\n".join(_said(entry, "`"))},
        "locations": [_location(entry)],
        # the first is the key that code scanning knows a result by; it is the same wherever the line has moved to
        "partialFingerprints": {
            "primaryLocationLineHash": f"{entry.fingerprint}:1",
            "attnDoctor/v1": entry.fingerprint,
        },
        # an empty list says that it is not suppressed; without the list it would not be said
        "suppressions": [_suppression(report, entry)] if entry.ignored else [],
        "properties": {"evidence": list(entry.evidence), "fix": list(entry.fix), "counts": entry.counts},
    }


def _suppression(report: Report, entry: Entry) -> dict[str, str]:
    """Who ignores it and why, where the policy says so."""
    told = report.policy.settings if report.policy else ()
    why = next((f"{one.value} [{one.origin}]" for one in told if one.key == "ignore" and entry.code in one.value), "")
    return {"kind": "external", "status": "accepted", "justification": line(why) or "--ignore on the command line"}


def _said(entry: Entry, code: str = "") -> Iterator[str]:
    yield f"{entry.title}."
    yield entry.detail
    for number, command in enumerate(entry.fix):
        yield f"{'Or' if number else 'Fix'}: {code}{command}{code}"


def _location(entry: Entry) -> dict[str, Any]:
    """Code scanning refuses a result without a place; what speaks of the environment has none in the project."""
    at = entry.location
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(at.file) if at else NO_FILE, "uriBaseId": ROOT},
            "region": {"startLine": at.line, "startColumn": at.column} if at else {"startLine": 1},
        },
        "logicalLocations": [
            {"name": entry.code, "fullyQualifiedName": f"environment/{entry.code}", "kind": "resource"}
        ],
    }
