"""A package index on loopback, and the servers of PyTorch and GitHub as a proxy shows them: TLS, real names."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("download.pytorch.org", "github.com")


class Places:
    """Files by name. The index lists those without a local part, a folder of PyTorch's those of its variant."""

    def __init__(self, folder: Path) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.certificate = folder / "authority.pem"
        certificate, key = _certified(folder, self.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        places = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.connection = context.wrap_socket(self.connection, server_side=True)
                self.rfile = self.connection.makefile("rb")
                self.wfile = self.connection.makefile("wb", 0)  # type: ignore[assignment]
                self.close_connection = False

            def finish(self) -> None:
                super().finish()
                self.connection.close()

            def do_GET(self) -> None:
                places.answer(self)

            def do_HEAD(self) -> None:
                places.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add(self, *several: dict[str, bytes]) -> None:
        for one in several:
            self.files |= one

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(request.path)
        self.asked.append(path)
        if path.endswith("/"):
            return self.send(request, self.page(*path.strip("/").split("/")[-2:]).encode(), "text/html")
        data = self.files.get(path.rpartition("/")[2])
        if data is None:
            return self.send(request, b"", "text/plain", 404)
        return self.send(request, data, "application/octet-stream")

    def send(self, request: BaseHTTPRequestHandler, data: bytes, kind: str, code: int = 200) -> None:
        request.send_response(code)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(data)

    def page(self, variant: str, project: str) -> str:
        """PEP 503."""
        own = [name for name in self.files if name.split("-")[0].replace("_", "-").lower() == project]
        plain = variant == "simple"
        of_variant = any("+" in name for name in own) and not plain
        own = [name for name in own if (f"+{variant}-" in name if of_variant else "+" not in name)]
        head = "" if plain else f"/whl/{variant}"
        digests = {name: hashlib.sha256(self.files[name]).hexdigest() for name in own}
        links = (f'<a href="{head}/{name.replace("+", "%2B")}#sha256={digests[name]}">{name}</a>' for name in own)
        return "<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>"


def _certified(folder: Path, authority: Path) -> tuple[Path, Path]:
    """A certificate for these names by an authority of our own, and its key."""
    key, asked, certificate = folder / "key.pem", folder / "asked.pem", folder / "certificate.pem"
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = folder / "names"
    names.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in NAMES))
    _openssl(*new, "-x509", "-days", "2", "-subj", "/CN=authority", "-keyout", folder / "ca.pem", "-out", authority)
    _openssl(*new, "-subj", "/CN=server", "-keyout", key, "-out", asked)
    signing = ["openssl", "x509", "-req", "-days", "2", "-CAcreateserial", "-extfile", names]
    _openssl(*signing, "-in", asked, "-CA", authority, "-CAkey", folder / "ca.pem", "-out", certificate)
    return certificate, key


def _openssl(*command: object) -> None:
    subprocess.run([*map(str, command)], check=True, capture_output=True, timeout=60)
