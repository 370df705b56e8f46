"""A refresh from beginning to end: each source by itself, then the catalogue made of all that is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from attn_doctor import __version__
from attn_doctor.wheels import catalogue, embedded, refreshed
from attn_doctor.wheels.refresh import github, indexes, store
from attn_doctor.wheels.refresh.asked import repository, sources
from attn_doctor.wheels.refresh.fetch import Fetcher, NotFetched, moment
from attn_doctor.wheels.refresh.listing import Listing
from attn_doctor.wheels.refresh.merge import INDEX, Merged, Pins, embedded_rows, merge_all, pins, without_repeats
from attn_doctor.wheels.refresh.settings import package_index
from attn_doctor.wheels.refresh.shelves import Row, shelved

SCHEMA = "attn-doctor/wheels-refresh/1"
State = Literal["refreshed", "unchanged", "failed"]
Say = Callable[[str], None]
NOTHING = Merged(())


class SourceResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one source. Of a failed one, what was known before stays."""

    name: str
    state: State
    as_of: str
    """The day it was last read."""
    rows: int
    new: int = 0
    gone: int = 0
    digests: int = 0
    """Rows whose sha256 is known."""
    skipped: int = 0
    """Names that were not understood."""
    reason: str | None = None
    retry_at: str | None = None
    """When a server that was asked too often may be asked again."""


class Refreshed(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of `attn-doctor wheels refresh`."""

    schema: str = SCHEMA
    version: str = __version__
    as_of: str
    rows: int
    """Of the whole catalogue."""
    sources: tuple[SourceResult, ...]

    @property
    def failed(self) -> bool:
        return any(one.state == "failed" for one in self.sources)


def refresh(wanted: tuple[str, ...], *, today: str, now: float, say: Say) -> Refreshed:
    """Read the sources again, keep what they list, and write the catalogue anew. Raises AttnDoctorError."""
    folder = store.open_store()
    before = {name: listing for name in sources() if (listing := store.load(folder, name))}
    basis = embedded_rows()
    after, failures = _listings(folder, wanted, before, pins(basis), now, today, say)
    old, new = merge_all(basis, before), merge_all(basis, after)
    rows = list(without_repeats(new, after))
    dates = _dates(basis, after)
    as_of = _as_of(after, failures)
    store.save_copy(folder, refreshed.encoded(__version__, as_of, dates, shelved(rows)))
    catalogue.forget()
    results = [
        _result(name, old.get(name, NOTHING), new.get(name, NOTHING), dates[name], failures.get(name))
        for name in wanted
    ]
    return Refreshed(as_of=as_of, rows=len(rows), sources=tuple(results))


def _listings(
    folder: str, wanted: tuple[str, ...], before: Mapping[str, Listing], known: Pins, now: float, today: str, say: Say
) -> tuple[dict[str, Listing], dict[str, NotFetched]]:
    """Every listing there is now, and why others are not newer."""
    listings = dict(before)
    failures: dict[str, NotFetched] = {}
    releases = Fetcher(now)  # one for all repositories: where one question is refused, so are the others
    for name in wanted:
        found = _read(name, before.get(name), releases if repository(name) else Fetcher(now), today, known)
        if isinstance(found, Listing):
            try:
                store.save(folder, found)
                listings[name] = found
            except OSError as error:
                found = NotFetched(f"cannot write its listing: {error.strerror or error}")
        if isinstance(found, NotFetched):
            failures[name] = found
        say(_said(name, found, before.get(name)))
    return listings, failures


def _read(name: str, before: Listing | None, fetcher: Fetcher, today: str, known: Pins) -> Listing | NotFetched:
    try:
        if repo := repository(name):
            return github.read(name, repo, before, fetcher, today)
        places = indexes.pytorch_places() if name == INDEX else indexes.package_places(name, package_index())
        return indexes.read(name, places, before, fetcher, today, known)
    except NotFetched as error:
        return error


def _said(name: str, found: Listing | NotFetched, before: Listing | None) -> str:
    if isinstance(found, NotFetched):
        return f"{name}: failed: {found.reason}"
    count = sum(len(scope.files) for scope in found.scopes)
    return f"{name}: {count} {'wheel' if count == 1 else 'wheels'} listed" + (
        ", as before" if before and before.pages == found.pages else ""
    )


def _dates(names: Iterable[str], listings: Mapping[str, Listing]) -> dict[str, str]:
    """The day each source was last read."""
    known = embedded.sources()
    dates = {}
    for name in {*names, *sources()}:
        row = known.sources.get(name) or known.sources.get(f"{name.partition(':')[0]}:*")
        dates[name] = (row.snapshot if row else None) or known.as_of
    return dict(sorted((dates | {name: listing.as_of for name, listing in listings.items()}).items()))


def _as_of(listings: Mapping[str, Listing], failures: Mapping[str, NotFetched]) -> str:
    """The day up to which nothing is missing: of the source read longest ago, unless that source is no more."""
    basis = embedded.sources().as_of
    asked = [name for name in sources() if name not in failures or not failures[name].missing]
    return max(basis, min((listings[name].as_of if name in listings else basis for name in asked), default=""))


def _result(name: str, old: Merged, new: Merged, day: str, failure: NotFetched | None) -> SourceResult:
    was, now = _by_file(old.rows), _by_file(new.rows)
    state: State = "failed" if failure else "unchanged" if was == now else "refreshed"
    at = failure.retry_at if failure else None
    return SourceResult(
        name=name,
        state=state,
        as_of=day,
        rows=len(now),
        new=len(now.keys() - was.keys()),
        gone=len(was.keys() - now.keys()),
        digests=sum(row.sha256 is not None for row in new.rows),
        skipped=new.skipped,
        reason=failure.reason if failure else None,
        retry_at=moment(at) if at is not None else None,
    )


def _by_file(rows: Iterable[Row]) -> dict[tuple[str, str | None, str | None], Row]:
    return {(row.filename, row.tag, row.url): row for row in rows}
