"""Asking over HTTP: redirects, packed answers, limits. The server is real; the names of hosts are not."""

from __future__ import annotations

import gzip
import io
import ssl
import urllib.request
from email.message import Message
from typing import TYPE_CHECKING, Any

import pytest

from attn_doctor.wheels.refresh import fetch
from attn_doctor.wheels.refresh.fetch import Fetcher, NotFetched
from refresh.world import fail, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from refresh.world import World

NOW = 1_800_000_000.0


@pytest.fixture
def get(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("ATTN_DOCTOR_HTTP_TIMEOUT", "5")
    return lambda path, **how: Fetcher(NOW).get(f"{world.url}{path}", {}, **how)


def test_a_packed_answer_is_unpacked(world: World, get: Any) -> None:
    text = b"x" * 3_000_000
    world.faults["/a"] = say(gzip.compress(text), Content_Encoding="gzip")
    assert get("/a").body == text
    with pytest.raises(NotFetched, match="larger than 2 MiB"):
        get("/a", limit_bytes=2 << 20)
    world.faults["/a"] = say(gzip.compress(text)[:-9], Content_Encoding="gzip")
    with pytest.raises(NotFetched, match="cut short"):
        get("/a")


def test_a_large_answer_is_refused(world: World, get: Any) -> None:
    world.faults["/a"] = say(b"x" * 2_000_000)
    assert len(get("/a").body) == 2_000_000
    with pytest.raises(NotFetched, match="larger than 1 MiB"):
        get("/a", limit_bytes=1 << 20)


def test_a_handful_of_redirects(world: World, get: Any) -> None:
    for step in range(9):
        world.faults[f"/hop{step}"] = fail(302, Location=f"/hop{step + 1}")
    world.faults["/hop5"] = say(b"here")
    assert get("/hop0").body == b"here"
    world.faults["/hop5"] = fail(302, Location="/hop6")
    with pytest.raises(NotFetched, match="sends us on too often"):
        get("/hop0")
    world.faults["/away"] = fail(302, Location="ftp://127.0.0.1/x")
    with pytest.raises(NotFetched, match="neither http nor https"):
        get("/away")


@pytest.mark.parametrize(
    ("there", "allowed"),
    [("http://elsewhere.example.org/x", False), ("http://127.0.0.1/x", True), ("https://b/x", True)],
)
def test_encryption_is_not_given_up_on_the_way(there: str, allowed: bool) -> None:
    asked = urllib.request.Request("https://a/x", headers={"Authorization": "Bearer t0k3n"})
    redirects = fetch._Redirects()
    if not allowed:
        with pytest.raises(NotFetched, match="without encryption"):
            redirects.redirect_request(asked, io.BytesIO(), 302, "", Message(), there)
        return
    following = redirects.redirect_request(asked, io.BytesIO(), 302, "", Message(), there)
    assert following is not None
    assert not following.has_header("Authorization")
    kept = redirects.redirect_request(asked, io.BytesIO(), 302, "", Message(), "https://a/y")
    assert kept is not None
    assert kept.has_header("Authorization")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "x", "", "http://", "http://[::1", "http://a b/"]
)
def test_what_is_no_address(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(NotFetched):
        Fetcher(NOW).get(url, {})


def test_a_server_that_speaks_no_tls(world: World, get: Any) -> None:
    with pytest.raises(NotFetched):
        Fetcher(NOW).get(world.url.replace("http:", "https:"), {})


def test_certificates_are_checked() -> None:
    context = fetch._trust()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(("given", "wanted"), [("3", 3.0), ("soon", 20.0), ("", 20.0), ("0", 0.1), ("1e9", 600.0)])
def test_the_timeout(given: str, wanted: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTN_DOCTOR_HTTP_TIMEOUT", given)
    assert fetch.timeout_s() == wanted


def test_a_moment_is_rounded_up() -> None:
    assert fetch.moment(NOW) == "2027-01-15 08:00 UTC"
    assert fetch.moment(NOW + 1) == "2027-01-15 08:01 UTC"
