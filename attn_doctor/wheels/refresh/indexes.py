"""The PyTorch index and the user's package index: one page for each package, or for each package and directory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

import msgspec

from attn_doctor.knowledge.torch_builds import INDEX
from attn_doctor.wheels.refresh.asked import DirectoryRow, asked, family
from attn_doctor.wheels.refresh.fetch import (
    FORBIDDEN,
    UNAUTHORIZED,
    UNCHANGED,
    Fetcher,
    NotFetched,
    origin,
    shown,
    without_credentials,
)
from attn_doctor.wheels.refresh.listing import Listing, Page, Published, Scope, page_of
from attn_doctor.wheels.refresh.merge import Pins, named
from attn_doctor.wheels.refresh.simple_page import ACCEPT, Link, links

BASE_VARIABLE = "ATTN_DOCTOR_PYTORCH_INDEX"
METADATA_LIMIT_BYTES = 1 << 20
MOST_METADATA = 40
Place = tuple[str, str | None, str]  # where the page is, directory, package


def pytorch_places() -> list[Place]:
    """The pages of the PyTorch index."""
    base = (os.environ.get(BASE_VARIABLE) or INDEX).rstrip("/")
    rows: tuple[DirectoryRow, ...] = asked().directories
    return [(f"{base}/{directory}/{row.package}/", directory, row.package) for row in rows for directory in row.names]


def package_places(source: str, base: str) -> list[Place]:
    """The pages of a package index."""
    row = family(source)
    return [(f"{base.rstrip('/')}/{package}/", None, package) for package in (row.packages if row else ())]


def read(
    source: str, places: Iterable[Place], before: Listing | None, fetcher: Fetcher, today: str, pins: Pins
) -> Listing:
    """All pages; one that is not there says nothing of its files. Raises NotFetched, also where none is there."""
    metadata = _Metadata(fetcher, pins, before)
    answers = [_page(place, before, fetcher, metadata) for place in places]
    pages = tuple(one for one in answers if isinstance(one, Page))
    if not any(scope.files for page in pages for scope in page.scopes):
        missing = [one for one in answers if isinstance(one, NotFetched)]
        raise missing[-1] if missing else NotFetched("none of its pages names a wheel")
    return Listing(source, today, pages)


def _is_not_there(error: NotFetched) -> bool:
    """A store of files answers 403 for a name that it does not have."""
    return error.missing or (error.status == FORBIDDEN and not error.whole_host)


def _page(place: Place, before: Listing | None, fetcher: Fetcher, metadata: _Metadata) -> Page | NotFetched:
    """One page, or that it is not there. Raises NotFetched for everything else."""
    url, directory, package = place
    public = shown(without_credentials(url)[0])
    earlier = page_of(before, public)
    try:
        answer = fetcher.get(url, _headers(earlier))
    except NotFetched as error:
        if _is_not_there(error):
            return error
        raise
    if answer.status == UNCHANGED and earlier is not None:
        return earlier
    found = [link for link in links(answer) if named(link.published.filename)[0] == package]
    if not found:  # a page of something else, or of nothing
        return Page(public, None, ())
    files = tuple(metadata.with_torch(link, url) for link in found)
    return Page(public, answer.headers.get("etag"), (Scope(directory, package, files),))


def _headers(earlier: Page | None) -> dict[str, str]:
    headers = {"Accept": ACCEPT, "User-Agent": "attn-doctor"}
    return headers | {"If-None-Match": earlier.etag} if earlier and earlier.etag else headers


class _Metadata:
    """What files themselves say of the torch they need; asked once for each version that is not known."""

    def __init__(self, fetcher: Fetcher, pins: Pins, before: Listing | None) -> None:
        self._fetcher = fetcher
        self._known = {key: torch for key, torch in pins.items() if torch is not None}
        for scope in before.scopes if before else ():
            self._known.update((named(one.filename), one.torch) for one in scope.files if one.torch)
        self._asked: dict[tuple[str, str], str | None] = {}
        self._silent: set[tuple[str, str]] = set()

    def with_torch(self, link: Link, page: str) -> Published:
        key = named(link.published.filename)
        if not link.metadata or key in self._known or link.published.filename.endswith("-any.whl"):
            return link.published
        if key not in self._asked and len(self._asked) < MOST_METADATA and ".dev" not in key[1]:
            self._asked[key] = self._ask(link.url, page)
        return msgspec.structs.replace(link.published, torch=self._asked.get(key))

    def _ask(self, url: str, page: str) -> str | None:
        """From the index itself with the user's credentials, from its store of files without."""
        host = origin(url)
        less_secure = origin(page)[0] == "https" and host[0] != "https"
        if less_secure or host in self._silent:
            return None
        headers = {"User-Agent": "attn-doctor"} | (without_credentials(page)[1] if host == origin(page) else {})
        try:
            answer = self._fetcher.get(f"{url}.metadata", headers, METADATA_LIMIT_BYTES, gives_up_host=False)
        except NotFetched as error:
            if error.whole_host and error.status != UNAUTHORIZED:  # the next one would wait as long
                self._silent.add(host)
            return None  # then the name is not understood
        return required_torch(answer.body.decode("utf-8", "replace"))


def required_torch(metadata: str) -> str | None:
    """'2.10.0' or '>=2.10', where that is all that is said of torch."""
    lines = re.findall(r"(?m)^Requires-Dist:[ \t]*torch(?![\w.-])[ \t]*(.*?)[ \t\r]*$", metadata)
    if len(lines) != 1:
        return None
    match = re.fullmatch(r"\(?[ \t]*(==|>=)[ \t]*(\d+\.\d+(?:\.\d+)?)[ \t]*\)?", lines[0], re.ASCII)
    return (match[2] if match[1] == "==" else f">={match[2]}") if match else None
