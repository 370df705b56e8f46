"""A verification as text: one line for each subject, and every case that is not right."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from attn_doctor.reporters._lines import WIDTH, as_json, printed

if TYPE_CHECKING:
    from attn_doctor.measure.verify import Row, Subject, Verification

NAME = 20
MARKS = {"right": "+", "refused": "~", "no memory": "~"}
MOST_ROWS = 6


def document(one: Verification) -> str:
    """Indented JSON, ending in a newline; validates against schemas/verification.json."""
    return as_json(one)


def text(one: Verification, *, verbose: bool = False) -> str:
    """One screen; with `verbose` every case."""
    return printed(_lines(one, verbose))


def _lines(one: Verification, verbose: bool) -> Iterator[str]:
    yield f"torch {one.torch} on {one.device} · against float64 · seed {one.seed}"
    yield ""
    for subject in one.subjects:
        yield from _subject(subject)
    for subject in one.subjects:
        rows = [row for row in one.rows if row.subject == subject.name]
        shown = rows if verbose else [row for row in rows if row.status not in MARKS][:MOST_ROWS]
        if shown:
            yield ""
            yield subject.name
            yield from (line for row in shown for line in _row(row))
    yield from _chosen(one)
    yield ""
    yield from wrap(_sum(one), WIDTH)


def _subject(subject: Subject) -> Iterator[str]:
    said = [f"{subject.right} right"]
    said += [f"{subject.refused} refused"] if subject.refused else []
    said += [f"{subject.bad} not"] if subject.bad else []
    share = f"at most {subject.worst:.0%} of the error allowed" if subject.worst is not None else ""
    line = f"{MARKS.get(subject.status, '!')} {subject.name:<{NAME}} {subject.status:<10} {', '.join(said)}"
    yield line
    detail = subject.reason or share
    yield from wrap(detail, WIDTH, initial_indent=" " * (NAME + 3), subsequent_indent=" " * (NAME + 3))


def _row(row: Row) -> Iterator[str]:
    numbers = f" {row.error:.1e} of {row.allowed:.1e}" if row.error is not None and row.allowed is not None else ""
    yield f"  {MARKS.get(row.status, '!')} {row.status:<9}{numbers}  {row.case}  (seed {row.seed})"
    if row.reason:
        yield from wrap(row.reason, WIDTH, initial_indent="      ", subsequent_indent="      ")


def _chosen(one: Verification) -> Iterator[str]:
    chosen = [name for name in one.sdpa.get("chosen", ()) if name != "aten::scaled_dot_product_attention"]
    if not chosen:
        return
    yield ""
    yield from wrap(f"sdpa took {', '.join(chosen)}.", WIDTH, break_long_words=False)
    for name, words in one.sdpa.items():
        if name != "chosen":
            yield from wrap(f"{name}: {words[0]}", WIDTH, initial_indent="  ", subsequent_indent="    ")


def _sum(one: Verification) -> str:
    bad = [subject.name for subject in one.subjects if subject.status not in MARKS]
    if bad:
        return f"Do not use: {', '.join(bad)}. A case can be tried again by its seed."
    return "Every kernel that ran is right." if one.subjects else "Nothing was tried."
