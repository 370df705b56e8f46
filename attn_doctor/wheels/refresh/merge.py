"""What is known and what is listed, put together: per source, and without input or output.

A listing has the last word on which files a release has, and on digests and sizes. The embedded rows know what no
listing says (the real C++ ABI, the toolkit, the runner); for a name that stays, that is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from attn_doctor.wheels import catalogue
from attn_doctor.wheels.refresh.asked import family, repository
from attn_doctor.wheels.refresh.listing import Listing, Published, Scope
from attn_doctor.wheels.refresh.names import real_abi, understood
from attn_doctor.wheels.refresh.shelves import Row, rows_of
from attn_doctor.wheels.tables import Wheel

INDEX = "pytorch-index"
Pins = Mapping[tuple[str, str], str | None]
NONE: Mapping[str, str] = MappingProxyType({})


class Merged(msgspec.Struct, frozen=True):
    """The rows of one source, and how many names of its listing were not understood."""

    rows: tuple[Row, ...]
    skipped: int = 0


def embedded_rows() -> dict[str, list[Row]]:
    """Every row of the embedded catalogue, by source; the rows that follow from index variants among them."""
    found: dict[str, list[Row]] = defaultdict(list)
    for _, shelf in catalogue.embedded_shelves():
        for row in rows_of(shelf):
            found[row.source].append(row)
    for wheel in catalogue.embedded_index_wheels():
        found[wheel.source].append(_row_of(wheel))
    return dict(found)


def merge_all(embedded: Mapping[str, list[Row]], listings: Mapping[str, Listing]) -> dict[str, Merged]:
    """Every source, with its listing where there is one."""
    known = _learned(listings.values()) | pins(embedded)
    directories = _directories(listings.get(INDEX))
    return {
        source: merge(embedded.get(source, []), listings.get(source), known, directories)
        for source in sorted({*embedded, *listings})
    }


def without_repeats(merged: Mapping[str, Merged], listed: Iterable[str]) -> Iterator[Row]:
    """All rows; a list of links does not repeat what the releases themselves list."""
    direct = {_path(row) for source in listed if repository(source) for row in merged[source].rows}
    for one in merged.values():
        yield from (row for row in one.rows if row.url is None or _linked(row.url) not in direct)


def merge(
    embedded: Iterable[Row], listing: Listing | None, pins: Pins, directories: Mapping[str, str] = NONE
) -> Merged:
    """The rows of one source. `directories`: for which CUDA a file is, by its digest."""
    names = family(listing.source) if listing else None
    if listing is None or names is None:
        return Merged(tuple(embedded))
    scopes = _by_scope(listing.scopes)
    found: dict[tuple[str | None, str], Row] = {}
    kept: list[Row] = []
    for row in embedded:
        files = scopes.get((row.tag, row.package), scopes.get((row.tag, None)))
        if files is None or (not files and row.evidence == "listed"):
            kept.append(row)  # nothing is said of its release, or it is empty: perhaps not for ever
        elif published := files.get(row.filename):
            found[row.tag, row.filename] = _confirmed(row, published, understood(names, published, row.tag))
    skipped = 0
    for tag, published in _each(scopes):
        if (tag, published.filename) not in found:
            parsed = understood(names, _pinned(published, pins), tag)
            new = _with_cuda(parsed, directories) if parsed else None
            if new is None:
                skipped += 1
            else:
                found[tag, published.filename] = msgspec.structs.replace(new, cxx11abi_real=real_abi(new))
    return Merged((*kept, *found.values()), skipped)


def _by_scope(scopes: Iterable[Scope]) -> dict[tuple[str | None, str | None], dict[str, Published]]:
    found: dict[tuple[str | None, str | None], dict[str, Published]] = defaultdict(dict)
    for scope in scopes:
        found[scope.tag, scope.package].update((one.filename, one) for one in scope.files)
    return dict(found)


def _each(
    scopes: Mapping[tuple[str | None, str | None], Mapping[str, Published]],
) -> Iterator[tuple[str | None, Published]]:
    for (tag, _), files in scopes.items():
        yield from ((tag, published) for published in files.values())


def _confirmed(row: Row, published: Published, parsed: Row | None) -> Row:
    """The file is there. What its name says is read anew; what only we know stays."""
    return msgspec.structs.replace(
        row,
        evidence="listed",
        conf=row.conf and "high",
        torch=parsed.torch if parsed and parsed.torch else row.torch,
        sha256=published.sha256 or row.sha256,
        size_bytes=published.size_bytes or row.size_bytes,
        requires_python=published.requires_python or row.requires_python,
    )


def _learned(listings: Iterable[Listing]) -> dict[tuple[str, str], str | None]:
    """What files themselves say of the torch they need."""
    every = (one for listing in listings for scope in listing.scopes for one in scope.files)
    return {named(one.filename): one.torch for one in every if one.torch}


def _directories(index: Listing | None) -> dict[str, str]:
    """For which CUDA a file is, by its digest."""
    scopes = index.scopes if index else ()
    return {one.sha256: scope.tag for scope in scopes if scope.tag for one in scope.files if one.sha256}


def pins(embedded: Mapping[str, list[Row]]) -> dict[tuple[str, str], str | None]:
    """The torch each version of a package needs, where all its known upstream files agree."""
    found: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    for row in (*embedded.get("pypi", ()), *embedded.get(INDEX, ())):
        found[row.package, row.version].add(row.torch)
    return {key: next(iter(torches)) for key, torches in found.items() if len(torches) == 1}


def named(filename: str) -> tuple[str, str]:
    """Package and public version, as the beginning of a file name has them."""
    package, _, rest = filename.partition("-")
    return package.replace("_", "-").lower(), rest.partition("-")[0].partition("+")[0]


def _pinned(published: Published, pins: Pins) -> Published:
    """With the torch that other files of the same version are known to need."""
    torch = published.torch or pins.get(named(published.filename))
    return msgspec.structs.replace(published, torch=torch)


def _with_cuda(row: Row, directories: Mapping[str, str]) -> Row | None:
    """The package index does not say for which CUDA a file is: the PyTorch index does, where it has the same file."""
    if row.cuda is not None or row.plat == "any":
        return row
    cuda = directories.get(row.sha256) if row.sha256 else None
    return msgspec.structs.replace(row, cuda=cuda) if cuda else None


def _row_of(wheel: Wheel) -> Row:
    """A wheel that follows from an index variant, as a row."""
    return Row(
        package=wheel.package,
        version=wheel.version,
        filename=wheel.filename,
        py=wheel.python_tag,
        abi=wheel.abi_tag,
        plat=wheel.platform,
        cxx11abi=None,
        source=wheel.source,
        evidence=wheel.evidence,
        conf=wheel.confidence,
        cuda=wheel.cuda,
        torch=wheel.torch,
        tag=wheel.tag,
        torch_full=wheel.built_with_torch,
    )


def _path(row: Row) -> str:
    return f"github.com/{repository(row.source)}/releases/download/{row.tag}/{row.filename}"


def _linked(url: str) -> str:
    return url.replace("%2B", "+").removeprefix("https://")
