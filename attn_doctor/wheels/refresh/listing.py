"""What a source publishes, as it was read: pages, and in each the files by release or directory."""

from __future__ import annotations

import msgspec


class Published(msgspec.Struct, frozen=True, array_like=True):
    """One file that a listing names."""

    filename: str
    sha256: str | None = None
    size_bytes: int | None = None
    requires_python: str | None = None
    torch: str | None = None
    """As the file's own metadata has it, where that was read: '2.10.0', '>=2.10'."""


class Scope(msgspec.Struct, frozen=True, array_like=True):
    """A release, or one package in one directory of an index, with every wheel in it."""

    tag: str | None
    package: str | None
    """None: a release may hold several."""
    files: tuple[Published, ...]


class Page(msgspec.Struct, frozen=True):
    """One answer of a server; `etag` asks it next time whether anything has changed."""

    url: str
    etag: str | None
    scopes: tuple[Scope, ...]
    next_url: str | None = None


class Listing(msgspec.Struct, frozen=True):
    """Everything a source publishes."""

    source: str
    as_of: str
    pages: tuple[Page, ...]

    @property
    def scopes(self) -> tuple[Scope, ...]:
        return tuple(scope for page in self.pages for scope in page.scopes)


def page_of(listing: Listing | None, url: str) -> Page | None:
    """The page as it was last time."""
    return next((page for page in listing.pages if page.url == url), None) if listing else None
