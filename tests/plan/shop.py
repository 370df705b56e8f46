"""A release server and a package index on loopback, and small wheels with real names and tags to put there."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANGS_FOR_S = 30
PAGE = "text/html"


class Shop:
    """Files by name, below any folder; `/simple/NAME/` lists those of a project. `moods` says how a name is served."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.moods: dict[str, str] = {}  # missing, cut, hang, redirect
        self.asked: list[str] = []
        self.closing = threading.Event()
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.answer(self)

            def do_HEAD(self) -> None:  # uv asks for the size first
                shop.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def add(self, wheel: Path) -> str:
        """Put a file there; its sha256."""
        self.files[wheel.name] = wheel.read_bytes()
        return sha256(self.files[wheel.name])

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(request.path)
        self.asked.append(path)
        name = path.rpartition("/")[2]
        if path.startswith("/simple/"):
            return self.send(request, self.page(path.split("/")[2]).encode(), PAGE)
        mood = self.moods.get(name, "")
        if name not in self.files or mood == "missing":
            return request.send_error(404)
        if mood == "hang":
            self.closing.wait(HANGS_FOR_S)
            return None
        if mood == "redirect" and not path.startswith("/elsewhere/"):
            request.send_response(302)
            request.send_header("Location", "/elsewhere" + request.path)
            request.send_header("Content-Length", "0")
            return request.end_headers()
        data = self.files[name]
        return self.send(request, data, "application/octet-stream", len(data) // 2 if mood == "cut" else None)

    def send(self, request: BaseHTTPRequestHandler, data: bytes, kind: str, only: int | None = None) -> None:
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data[:only])

    def page(self, project: str) -> str:
        """PEP 503."""
        own = [name for name in self.files if name.split("-")[0].replace("_", "-").lower() == project]
        links = (
            f'<a href="/files/{name.replace("+", "%2B")}#sha256={sha256(self.files[name])}">{name}</a>' for name in own
        )
        return "<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(
    folder: Path, filename: str, files: dict[str, str], requires: tuple[str, ...] = (), version: str | None = None
) -> Path:
    """A wheel of that name. `version` is what its metadata says, where that differs from the name."""
    project, stated, python, abi, platform = filename.removesuffix(".whl").split("-")
    version = version or stated
    info = f"{project}-{version}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": "\n".join(
            [
                "Metadata-Version: 2.1",
                f"Name: {project.replace('_', '-')}",
                f"Version: {version}",
                *(f"Requires-Dist: {one}" for one in requires),
                "",
                "",
            ]
        ),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: false\n"
        f"Tag: {python}-{abi}-{platform}\n",
    }
    record = f"{info}/RECORD"
    lines = [f"{name},sha256={_digest(text)},{len(text.encode())}" for name, text in contents.items()]
    contents[record] = "\n".join([*lines, f"{record},,", ""])
    target = folder / filename
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in contents.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return target


def _digest(text: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file and link below a folder, by its bytes; what Python compiles by itself is nobody's."""
    return dict(_every(folder))


def _every(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield name, "-> " + str(path.readlink())
        elif path.is_file() and "__pycache__" not in name:
            yield name, hashlib.sha256(path.read_bytes()).hexdigest()
