"""GitLab's code quality report: what `artifacts:reports:codequality` takes, shown in the merge request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attn_doctor.reporters._entries import NO_FILE, entries
from attn_doctor.reporters._lines import as_json

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.reporters._entries import Entry

SEVERITIES = {"error": "critical", "warning": "major", "info": "info"}


def render(report: Report, *, verbose: bool, elapsed_s: float | None, plain: bool) -> str:  # noqa: ARG001 - a document is always whole
    """A list of issues; GitLab demands a path of each, and what speaks of the environment has none."""
    return as_json([_issue(entry) for entry in entries(report)])


def _issue(entry: Entry) -> dict[str, Any]:
    ignored = "(ignored) " if entry.ignored else ""
    fix = f" Fix: {entry.fix[0]}" if entry.fix else ""
    return {
        "description": f"{ignored}{entry.title}: {' '.join(entry.detail.split())}{fix}",
        "check_name": entry.code,
        "fingerprint": entry.fingerprint,
        "severity": "info" if entry.ignored else SEVERITIES[entry.severity],
        "location": {
            "path": entry.location.file if entry.location else NO_FILE,
            "lines": {"begin": entry.location.line if entry.location else 1},
        },
    }
