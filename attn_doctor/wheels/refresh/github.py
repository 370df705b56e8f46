"""The releases of a repository on GitHub: pages, digests, and what has not changed since last time."""

from __future__ import annotations

import os
import re

import msgspec

from attn_doctor.wheels.refresh.fetch import UNCHANGED, Answer, Fetcher, NotFetched, origin, shown
from attn_doctor.wheels.refresh.listing import Listing, Page, Published, Scope, page_of

BASE_VARIABLE = "GITHUB_API_URL"
BASE = "https://api.github.com"
TOKEN_VARIABLES = ("GITHUB_TOKEN", "GH_TOKEN")
PER_PAGE = 30  # a release may have hundreds of files: larger pages time out at the other end
MOST_PAGES = 100
# it becomes part of an address, and must not lead out of its folder
TAG = re.compile(r"(?!.*(\.\.|//))[A-Za-z0-9][A-Za-z0-9._+/-]{0,199}(?<!/)", re.ASCII)


class Asset(msgspec.Struct, frozen=True):
    """A file of a release."""

    name: str
    state: str = "uploaded"
    size: int | None = None
    digest: str | None = None


class Release(msgspec.Struct, frozen=True):
    """A release."""

    tag_name: str
    draft: bool = False
    assets: tuple[Asset, ...] = ()


def read(source: str, repository: str, before: Listing | None, fetcher: Fetcher, today: str) -> Listing:
    """Every release, page by page. Raises NotFetched."""
    base = (os.environ.get(BASE_VARIABLE) or BASE).rstrip("/")
    url: str | None = f"{base}/repos/{repository}/releases?per_page={PER_PAGE}"
    pages: dict[str, Page] = {}
    while url is not None and url not in pages and len(pages) < MOST_PAGES:
        if origin(url) != origin(base):
            raise NotFetched(f"{origin(base)[1]} names another host as its next page: {shown(url)}")
        pages[url] = _page(url, page_of(before, url), fetcher)
        url = pages[url].next_url
    return Listing(source, today, tuple(pages.values()))


def parse(body: bytes) -> tuple[Scope, ...]:
    """The wheels of each published release. Raises NotFetched."""
    try:
        releases = msgspec.json.decode(body, type=tuple[Release, ...])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise NotFetched("the answer is not a list of releases") from None
    return tuple(
        Scope(release.tag_name, None, tuple(_published(asset) for asset in release.assets if _is_wheel(asset)))
        for release in releases
        if not release.draft and TAG.fullmatch(release.tag_name)
    )


def following(link: str | None) -> str | None:
    """The next page, from a Link header."""
    for part in (link or "").split(","):
        address, _, relation = part.partition(";")
        if re.search(r'\brel="?next"?', relation) and (match := re.fullmatch(r"\s*<([^<>\s]+)>\s*", address)):
            return match[1]
    return None


def _page(url: str, before: Page | None, fetcher: Fetcher) -> Page:
    try:
        answer = fetcher.get(url, _headers(before))
    except NotFetched as error:
        if error.retry_at is None or _token():
            raise
        raise error.with_hint(f"with a token in {TOKEN_VARIABLES[0]} it answers more of them") from None
    if answer.status == UNCHANGED and before is not None:
        return before
    return _read_page(url, answer)


def _read_page(url: str, answer: Answer) -> Page:
    return Page(url, answer.headers.get("etag"), parse(answer.body), following(answer.headers.get("link")))


def _headers(before: Page | None) -> dict[str, str]:
    headers = {"Accept": "application/vnd.github+json", "User-Agent": "attn-doctor"}
    if token := _token():
        headers["Authorization"] = f"Bearer {token}"
    if before and before.etag:
        headers["If-None-Match"] = before.etag
    return headers


def _token() -> str | None:
    token = next((value for name in TOKEN_VARIABLES if (value := os.environ.get(name, "").strip())), "")
    return token if token and token.isascii() and token.isprintable() else None


def _is_wheel(asset: Asset) -> bool:
    return asset.name.endswith(".whl") and asset.state == "uploaded"


def _published(asset: Asset) -> Published:
    match = re.fullmatch(r"sha256:([0-9a-f]{64})", asset.digest or "")
    size = asset.size if asset.size and asset.size > 0 else None
    return Published(asset.name, match[1] if match else None, size)
