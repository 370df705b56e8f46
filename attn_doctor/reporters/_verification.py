"""A verification as text: one line for each subject, and every case that is not right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from attn_doctor.reporters._lines import WIDTH, as_json, hanging, printed

if TYPE_CHECKING:
    from attn_doctor.measure.verify import Choice, Row, Subject, Verification

NAME = 20
OWN = "own"
MARKS = {"right": "+", "refused": "~", "no memory": "~"}
MOST_ROWS = 6
MOST_REASONS = 2


def document(one: Verification) -> str:
    """Indented JSON, ending in a newline; validates against schemas/verification.json."""
    return as_json(one)


def text(one: Verification, *, verbose: bool = False) -> str:
    """One screen; with `verbose` every case."""
    return printed(_lines(one, verbose))


def _lines(one: Verification, verbose: bool) -> Iterator[str]:
    yield f"torch {one.torch} on {one.device}, held against float64, seed {one.seed}"
    yield ""
    for subject in one.subjects:
        yield from _subject(subject)
        yield from _refusals([row for row in one.rows if row.subject == subject.name and row.status == "refused"])
    for subject in one.subjects:
        rows = [row for row in one.rows if row.subject == subject.name]
        bad = [row for row in rows if row.status not in MARKS]
        shown = rows if verbose else bad[:MOST_ROWS]
        if shown:
            yield ""
            yield f"{_named(subject.name)}:"
            yield from (line for row in shown for line in _row(row))
        if not verbose and len(bad) > MOST_ROWS:
            yield f"  and {len(bad) - MOST_ROWS} more: --verbose shows all"
    if one.sdpa:
        yield ""
        yield "What sdpa took where it was free to choose:"
        yield from (line for choice in one.sdpa for line in _choice(choice))
    yield ""
    yield from wrap(_sum(one), WIDTH)


def _subject(subject: Subject) -> Iterator[str]:
    counts = {"right": subject.right, "refused": subject.refused, "not right": subject.bad}
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    share = f"; at most {subject.worst:.0%} of the error allowed" if subject.worst is not None else ""
    label = f"{MARKS.get(subject.status, '!')} {_named(subject.name):<{NAME}} "
    if subject.status in ("right", "refused"):
        yield from hanging(label, f"{said}{share}")
    else:
        yield from hanging(label, f"{subject.status}: {said or 'no case ran'}")
    if subject.reason and subject.status != "refused":
        yield from hanging(" " * len(label), subject.reason)
    if subject.only:
        yield from hanging(" " * len(label), f"only where a case is: {', '.join(subject.only)}")


def _refusals(rows: Sequence[Row]) -> Iterator[str]:
    """Why, the most frequent first; of a long reason its first sentence."""
    counted = Counter(row.reason.partition(". ")[0].rstrip(".") for row in rows)
    for reason, count in counted.most_common(MOST_REASONS):
        yield from hanging(" " * (NAME + 3), f"refused {count}: {reason}")
    if len(counted) > MOST_REASONS:
        left = sum(counted.values()) - sum(count for _, count in counted.most_common(MOST_REASONS))
        yield from hanging(" " * (NAME + 3), f"refused {left} more: --verbose says why")


def _row(row: Row) -> Iterator[str]:
    numbers = (
        f"error {row.error:.1e}, allowed {row.allowed:.1e}" if row.error is not None and row.allowed is not None else ""
    )
    took = f"by {row.kernel}" if row.kernel else ""
    # the numbers say it already where the error of the worst head is what is too large
    reason = "" if row.reason.startswith("error ") and numbers else row.reason
    said = "; ".join(part for part in (row.case, numbers, took) if part)
    label = f"  {MARKS.get(row.status, '!')} {row.status:<9} "
    yield from hanging(label, said)
    if reason:
        yield from hanging(" " * len(label), reason)


def _choice(choice: Choice) -> Iterator[str]:
    label = f"  {choice.kernel:<10} "
    cases = f"{choice.cases} case{'' if choice.cases == 1 else 's'}"
    yield from hanging(label, f"{cases}, such as {choice.example}" if choice.not_taken else cases)
    for kernel, words in choice.not_taken.items():
        yield from hanging(f"{'':<{len(label)}}", f"not {kernel}: {words}")


def _sum(one: Verification) -> str:
    bad = [subject for subject in one.subjects if subject.status not in MARKS]
    said = "Interrupted: these are the cases that were done. " if one.interrupted else ""
    if bad:
        names = _all_of([_named(subject.name) for subject in bad])
        return f"{said}Do not use {names} here. The same inputs again: the same call with --seed {one.seed}."
    return f"{said}Every kernel that ran is right." if one.subjects else f"{said}Nothing was tried."


def _named(subject: str) -> str:
    return "your kernel" if subject == OWN else subject


def _all_of(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
