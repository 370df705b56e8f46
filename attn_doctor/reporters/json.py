"""JSON: the report as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attn_doctor.reporters._lines import as_json

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report


def render(report: Report, *, verbose: bool, elapsed_s: float | None, plain: bool) -> str:  # noqa: ARG001 - JSON is always whole
    """Indented, ending in a newline; validates against schemas/report.json."""
    return as_json(report)
