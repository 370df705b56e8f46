"""The history of a target as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.reporters._lines import as_json, printed

if TYPE_CHECKING:
    from attn_doctor.execute.listing import History, Listed

NOTHING = "No change of attn-doctor's is known here."


def document(history: History) -> str:
    """Indented JSON, ending in a newline; validates against schemas/history.json."""
    return as_json(history)


def text(history: History) -> str:
    """One block for each change."""
    return printed([line for change in history.changes for line in _block(change)] or [NOTHING])


def _block(change: Listed) -> Iterator[str]:
    yield f"{change.id}  {change.state:<12} {change.title}"
    yield f"  target  {change.target}"
    if change.why:
        yield f"  why     {change.why}"
    for folder in change.kept:
        yield f"  kept    {folder}"
    if change.log:
        yield f"  log     {change.log}"
