"""A server on loopback that publishes wheels: a GitHub API, a PyTorch index and a package index."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORIES = {
    "fa-official": "Dao-AILab/flash-attention",
    "mjun0812": "mjun0812/flash-attention-prebuild-wheels",
    "windreamer": "windreamer/flash-attention3-wheels",
    "kingbri1": "kingbri1/flash-attention",
    "lesj0610": "lesj0610/flash-attention",
    "adithyaxx": "adithyaxx/flash-attention",
    "johnarizona": "johnarizona/flash-attn2-wheels",
    "woct0rdho/SageAttention": "woct0rdho/SageAttention",
    "jimlee2048/SageAttention": "jimlee2048/SageAttention",
}
OFFICIAL = REPOSITORIES["fa-official"]
RELEASES = f"/api/repos/{OFFICIAL}/releases"
JSON_PAGE = "application/vnd.pypi.simple.v1+json"


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def asset(name: str, **said: Any) -> dict[str, Any]:
    return {"name": name, "state": "uploaded", "size": 1000 + len(name), "digest": f"sha256:{digest(name)}"} | said


def release(tag: str, *names: str, **said: Any) -> dict[str, Any]:
    return {"tag_name": tag, "draft": False, "assets": [asset(name) for name in names]} | said


class World:
    """What is published, and what goes wrong: `faults` maps the beginning of a path to what happens there."""

    def __init__(self) -> None:
        self.releases: dict[str, list[dict[str, Any]]] = {repo: [] for repo in REPOSITORIES.values()}
        self.directories: dict[tuple[str, str], list[str]] = {
            ("cu128", "flash-attn-3"): ["flash_attn_3-3.0.0-cp39-abi3-manylinux_2_28_x86_64.whl"],
        }
        self.packages: dict[str, list[dict[str, Any]]] = {
            "flash-attn-4": [{"filename": "flash_attn_4-4.0.0b36-py3-none-any.whl", "requires-python": ">=3.10"}],
        }
        self.metadata: dict[str, str] = {}
        self.json_index = True
        self.page_size = 30
        self.faults: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.log: list[tuple[str, dict[str, str], int]] = []
        self.closing = Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def env(self, cache: object) -> dict[str, str | None]:
        gone = ("http_proxy", "https_proxy", "all_proxy", "GITHUB_TOKEN", "GH_TOKEN", "PIP_NO_INDEX")
        return {
            **dict.fromkeys((*gone, *(name.upper() for name in gone))),
            "GITHUB_API_URL": f"{self.url}/api",
            "ATTN_DOCTOR_PYTORCH_INDEX": f"{self.url}/whl",
            "PIP_INDEX_URL": f"{self.url}/simple/",
            "ATTN_DOCTOR_HTTP_TIMEOUT": "5",
            "XDG_CACHE_HOME": str(cache),
        }

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[dict[str, str], bytes] | None:
        parts = [part for part in path.split("/") if part]
        match parts:
            case ["api", "repos", owner, repo, "releases"] if f"{owner}/{repo}" in self.releases:
                return self._releases(f"{owner}/{repo}", path, int(query.get("page", ["1"])[0]))
            case ["whl", directory, project] if (directory, project) in self.directories:
                return self._html([{"filename": name} for name in self.directories[directory, project]])
            case ["simple", project] if project in self.packages:
                return self._project(self.packages[project])
            case ["files", name] if name in self.metadata:
                return {}, self.metadata[name].encode()
        return None

    def _releases(self, repo: str, path: str, number: int) -> tuple[dict[str, str], bytes]:
        every = self.releases[repo]
        page = every[(number - 1) * self.page_size : number * self.page_size]
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if number * self.page_size < len(every):
            headers["Link"] = (
                f'<{self.url}{path}?per_page=30&page={number + 1}>; rel="next", '
                f'<{self.url}{path}?per_page=30&page=99>; rel="last"'
            )
        return headers, json.dumps(page).encode()

    def _html(self, files: list[dict[str, Any]]) -> tuple[dict[str, str], bytes]:
        lines = []
        for file in files:
            name = file["filename"]
            more = "".join(f' {key}="{value}"' for key, value in file.items() if key.startswith("data-"))
            lines.append(f'<a href="/files/{quote(name)}#sha256={digest(name)}"{more}>{name}</a><br/>')
        return {"Content-Type": "text/html"}, ("<!DOCTYPE html><html><body>" + "\n".join(lines)).encode()

    def _project(self, files: list[dict[str, Any]]) -> tuple[dict[str, str], bytes]:
        if not self.json_index:
            return self._html(files)
        rows = [
            {"url": f"/files/{quote(file['filename'])}", "hashes": {"sha256": digest(file["filename"])}, "size": 5}
            | file
            for file in files
        ]
        return {"Content-Type": JSON_PAGE}, json.dumps({"meta": {"api-version": "1.1"}, "files": rows}).encode()

    def asked(self, beginning: str) -> list[tuple[str, dict[str, str], int]]:
        return [one for one in self.log if one[0].startswith(beginning)]


def fail(status: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def say(
    body: bytes, content_type: str = "application/json", **headers: str
) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", content_type)
        for name, value in ({"Content_Length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@contextmanager
def serving(world: World) -> Iterator[World]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = 200
            for beginning, fault in world.faults.items():
                if self.path.startswith(beginning):
                    world.log.append((self.path, dict(self.headers), 0))
                    fault(self)
                    return
            parts = urlsplit(self.path)
            found = world.answer(parts.path, parse_qs(parts.query))
            headers, body = found or ({}, b"")
            etag = f'W/"{hashlib.sha256(body).hexdigest()}"'
            if found is None:
                status = 404
            elif self.headers.get("If-None-Match") == etag:
                status, body = 304, b""
            world.log.append((self.path, dict(self.headers), status))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 404:
                self.send_header("ETag", etag)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    world.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield world
    finally:
        world.closing.set()
        server.shutdown()
        server.server_close()
