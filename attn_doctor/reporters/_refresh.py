"""What `attn-doctor wheels refresh` did, as text: a line for each source."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from attn_doctor.reporters._lines import WIDTH, as_json, printed

if TYPE_CHECKING:
    from attn_doctor.wheels.refresh.run import Refreshed, SourceResult


def text(result: Refreshed) -> str:
    """One screen."""
    return printed(_lines(result))


def document(result: Refreshed) -> str:
    """Indented JSON, ending in a newline."""
    return as_json(result)


def _lines(result: Refreshed) -> Iterator[str]:
    width = max(len("source"), *(len(one.name) for one in result.sources))
    yield f"{'source':<{width}}  {'state':<9}  {'files':>6} {'new':>6} {'gone':>6} {'sha256':>6}  of"
    for one in result.sources:
        counts = f"{one.rows:>6} {one.new:>6} {one.gone:>6} {one.digests:>6}"
        yield f"{one.name:<{width}}  {one.state:<9}  {counts}  {one.as_of}"
    yield ""
    for one in result.sources:
        yield from _said(one)
    yield f"The catalogue has {result.rows} files and is of {result.as_of}."


def _said(one: SourceResult) -> Iterator[str]:
    if one.reason is not None:
        yield from wrap(
            f"{one.name} failed: {one.reason}. What was known before stays.",
            WIDTH,
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield ""
    elif one.skipped:
        names = "1 name was" if one.skipped == 1 else f"{one.skipped} names were"
        yield f"{one.name}: {names} not understood, and left out."
        yield ""
