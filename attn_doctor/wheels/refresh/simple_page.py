"""A page of a package index: JSON (PEP 691) or HTML (PEP 503), to the wheels it names."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import msgspec

from attn_doctor.wheels.refresh.fetch import Answer, NotFetched
from attn_doctor.wheels.refresh.listing import Published

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
LONGEST_SPECIFIER = 100


class Link(msgspec.Struct, frozen=True):
    """A wheel on a page, and where it lies."""

    published: Published
    url: str
    metadata: bool
    """Whether its metadata can be had by itself (PEP 658)."""


class File(msgspec.Struct, frozen=True, rename="kebab"):
    """A file of a JSON page."""

    filename: str
    url: str
    hashes: dict[str, str] = msgspec.field(default_factory=dict)
    requires_python: str | None = None
    size: int | None = None
    yanked: bool | str = False
    core_metadata: bool | dict[str, str] = False
    dist_info_metadata: bool | dict[str, str] = False


class Project(msgspec.Struct, frozen=True):
    """A JSON page."""

    files: tuple[File, ...]


def links(answer: Answer) -> tuple[Link, ...]:
    """The wheels of a page that were not withdrawn. Raises NotFetched."""
    if "json" in answer.headers.get("content-type", ""):
        return tuple(_of_json(answer))
    parser = _Anchors(answer.url)
    parser.feed(answer.body.decode("utf-8", "replace"))
    return tuple(parser.found)


def _of_json(answer: Answer) -> list[Link]:
    try:
        files = msgspec.json.decode(answer.body, type=Project).files
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise NotFetched("the answer is not a page of a package index") from None
    found: list[Link] = []
    for file in files:
        if file.filename.endswith(".whl") and file.yanked is False:
            digest = _sha256(file.hashes.get("sha256"))
            size = file.size if file.size and file.size > 0 else None
            published = Published(file.filename, digest, size, _specifier(file.requires_python))
            metadata = bool(file.core_metadata or file.dist_info_metadata)
            found.append(Link(published, _joined(answer.url, file.url), metadata))
    return found


class _Anchors(HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base
        self.found: list[Link] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said: dict[str, Any] = dict(attrs)
        if tag == "base" and said.get("href") and not self.found:
            self._base = _joined(self._base, said["href"])
        if tag != "a" or not said.get("href") or "data-yanked" in said:
            return
        url, fragment = urldefrag(_joined(self._base, said["href"]))
        filename = unquote(urlsplit(url).path.rpartition("/")[2])
        if filename.endswith(".whl"):
            digest = _sha256(fragment.removeprefix("sha256=")) if fragment.startswith("sha256=") else None
            published = Published(filename, digest, None, _specifier(said.get("data-requires-python")))
            metadata = "data-core-metadata" in said or "data-dist-info-metadata" in said
            self.found.append(Link(published, url, metadata))


def _joined(base: str, url: str) -> str:
    """Where a link leads; one that is no address leads nowhere else."""
    try:
        return urljoin(base, url)
    except ValueError:
        return base


def _sha256(text: str | None) -> str | None:
    return text.lower() if text and SHA256.fullmatch(text.lower()) else None


def _specifier(text: str | None) -> str | None:
    """What `resolve` compares with: '>=3.10,<4.0'."""
    text = re.sub(r"\s+", "", text or "")
    return text if text and len(text) <= LONGEST_SPECIFIER and text.isascii() and text.isprintable() else None
