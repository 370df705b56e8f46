"""Whether what a plan fetches can be reached: asked before the first step, and healthy networks are never refused."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attn_doctor.execute import network
from attn_doctor.plan.plan import Plan, Step
from execute import workshop as made_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from execute.workshop import Market, Workshop

WHEEL = "some_thing-1.0-py3-none-any.whl"
PIP = (sys.executable, "-m", "pip")
UV = ("uv", "pip", "install", "--python", sys.executable)
AT_ONCE = {"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "2", "UV_HTTP_TIMEOUT": "2"}
needs_uv = pytest.mark.skipif(not os.path.exists(made_here.UV), reason="uv is not installed")


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(autouse=True)
def plain_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy") or name.startswith(("PIP_", "UV_")) or name.endswith("_CA_BUNDLE"):
            monkeypatch.delenv(name)
    own = {"PIP_CONFIG_FILE": os.devnull, "PIP_CACHE_DIR": str(tmp_path / "pip"), "UV_CACHE_DIR": str(tmp_path / "uv")}
    for name, value in {**AT_ONCE, **own, "PATH": f"{made_here.SCRIPTS}{os.pathsep}{os.environ['PATH']}"}.items():
        monkeypatch.setenv(name, value)


class Server:
    """Answers everything alike: with a status, and of `methods` alone; of `headers` what a wheel comes with."""

    def __init__(self, status: int, methods: str = "GET HEAD", headers: dict[str, str] | None = None) -> None:
        self.asked: list[str] = []
        self.body = b"not looked at"
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(f"{self.command} {self.path}")
                allowed = self.command in methods.split()
                self.send_response(status if allowed else 405)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(server.body)

            do_HEAD = do_GET  # noqa: N815 - as http.server calls it

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.base = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    opened: list[Server] = []

    def one(*arguments: object, **more: object) -> Server:
        opened.append(Server(*arguments, **more))  # type: ignore[arg-type]
        return opened[-1]

    yield one
    for server in opened:
        server.close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def asked(*commands: tuple[str, ...]) -> list[str]:
    """What is said of a plan with these commands."""
    steps = tuple(Step(id="fetch", title="fetch", kind="fetch", command=command) for command in commands)
    plan = Plan(backend="triton", method="wheel", title="by hand", steps=steps)
    return list(network.unreachable(network.questions(plan)))


def by_address(address: str) -> tuple[str, ...]:
    return (*PIP, "download", "--no-deps", "--dest", "elsewhere", address)


def of_index(index: str) -> tuple[str, ...]:
    return (*PIP, "install", "--no-deps", "--constraint", "not-there-yet.txt", "some-thing==1.0", "--index-url", index)


def test_nobody_listens(closed_port: int) -> None:
    base = f"http://127.0.0.1:{closed_port}"
    commands = [by_address(f"{base}/{WHEEL}#sha256={'0' * 64}"), of_index(f"{base}/simple/")]
    if os.path.exists(made_here.UV):
        commands += [
            (*UV, "--no-deps", "some-thing==1.0", "--default-index", f"{base}/simple/"),
            (*UV, "--no-deps", "--only-binary", "some-thing", f"some-thing @ {base}/{WHEEL}"),
        ]
    if shutil.which("curl"):
        commands += [("curl", "--fail", "--location", "--output", "saved", f"{base}/file.run")]
    said = [one for command in commands for one in asked(command)]
    assert len(said) == len(commands), said
    assert f"{WHEEL} cannot be fetched: {base}/{WHEEL}: Connection refused. Look at" in said[0]
    assert f"some-thing cannot be fetched: {base}/simple/some-thing/: Connection refused. " in said[1]
    for one in said[2:]:
        assert base in one
        assert "refused" in one or "connect" in one.lower(), one


@pytest.mark.parametrize(("status", "why"), [(404, "404 Not Found"), (503, "503"), (403, "403")])
def test_a_server_that_says_no(serve: Callable[..., Server], status: int, why: str) -> None:
    server = serve(status)
    by_wheel, of_page = asked(by_address(f"{server.base}/{WHEEL}"), of_index(f"{server.base}/simple/"))
    assert why in by_wheel
    assert str(status) in of_page


def test_a_server_that_keeps_silent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"http://127.0.0.1:{silent.getsockname()[1]}"
        before = time.monotonic()
        said = asked(by_address(f"{base}/{WHEEL}"), of_index(f"{base}/simple/"))
        assert time.monotonic() - before < 20
    assert len(said) == 2, said
    assert all("timed out" in one or "didn't respond within" in one for one in said), said


def test_a_certificate_that_nobody_signed(
    tmp_path: Path, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("takes openssl")
    import ssl

    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
    name = ("-addext", "subjectAltName=DNS:localhost", "-keyout", tmp_path / "key", "-out", tmp_path / "cert")
    subprocess.run([*made, *name], check=True, capture_output=True)
    server = serve(200)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
    address = f"https://localhost:{server.port}/{WHEEL}"
    (said,) = asked(by_address(address))
    assert "certificate" in said.lower()
    monkeypatch.setenv("PIP_CERT", str(tmp_path / "cert"))
    assert asked(by_address(address)) == [], "the user's own certificates are trusted"


def test_a_proxy_is_asked_in_its_place(
    serve: Callable[..., Server], closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(200)
    monkeypatch.setenv("HTTP_PROXY", proxy.base)
    monkeypatch.setenv("http_proxy", proxy.base)
    assert asked(by_address(f"http://files.invalid/{WHEEL}")) == []
    assert proxy.asked == [f"GET http://files.invalid/{WHEEL}"]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    assert len(asked(by_address(f"http://files.invalid/{WHEEL}"))) == 1


def test_credentials_stay_where_they_are(closed_port: int) -> None:
    at = f"http://someone:sesame@127.0.0.1:{closed_port}"
    for one in asked(by_address(f"{at}/{WHEEL}?token=sesame"), of_index(f"{at}/simple/")):
        assert "sesame" not in one
        assert "someone" not in one


def test_a_server_without_HEAD_serves(serve: Callable[..., Server]) -> None:  # noqa: N802
    server = serve(200, methods="GET")
    assert asked(by_address(f"{server.base}/{WHEEL}")) == []
    assert server.asked == [f"GET /{WHEEL}"]


def test_what_needs_no_network_is_not_asked_for(tmp_path: Path, closed_port: int) -> None:
    nowhere = f"http://127.0.0.1:{closed_port}"
    (tmp_path / WHEEL).write_bytes(b"saved earlier")
    commands = [
        (*PIP, "install", "--no-deps", "--no-index", "some-thing"),
        (*PIP, "install", "--no-deps", "--index-url", f"{nowhere}/simple/", str(tmp_path / WHEEL)),
        (*PIP, "install", "--requirement", "listed.txt", "--index-url", f"{nowhere}/simple/"),
        (*PIP, "uninstall", "--yes", "some-thing"),
        (*PIP, "download", "--no-deps", "--dest", str(tmp_path), f"{nowhere}/{WHEEL}"),
        (*PIP, "download", "--no-deps", (tmp_path / WHEEL).as_uri()),
        (sys.executable, "-m", "ensurepip", "--upgrade"),
    ]
    plan = Plan(
        backend="triton",
        method="wheel",
        title="by hand",
        steps=tuple(Step(id="fetch", title="", kind="fetch", command=command) for command in commands),
    )
    assert network.questions(plan) == ()


def test_what_an_earlier_step_brings_is_not_asked_for_again() -> None:
    plan = Plan(
        backend="triton",
        method="wheel",
        title="by hand",
        steps=(
            Step(id="fetch", title="", kind="fetch", command=(*PIP, "download", "Some.Thing==1.0")),
            Step(id="demands", title="", kind="install", command=(*PIP, "install", "some-thing[more]==1.0")),
        ),
    )
    assert [one.what for one in network.questions(plan)] == ["some-thing"]


def test_a_folder_in_place_of_an_index(tmp_path: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made_here.make_wheel(tmp_path, WHEEL, {"some_thing.py": ""})
    nowhere = f"http://127.0.0.1:{closed_port}/simple/"
    assert len(asked(of_index(nowhere))) == 1
    monkeypatch.setenv("PIP_FIND_LINKS", tmp_path.as_uri())
    assert asked(of_index(nowhere)) == [], "an index that is away matters to nobody where a folder serves"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert asked((*PIP, "install", "some-thing==1.0")) == []


def test_a_wheel_in_pips_own_cache(
    tmp_path: Path, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pip takes from its cache is there without a network."""
    monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")  # of others pip keeps nothing that came without encryption
    server = serve(200, headers={"Cache-Control": "max-age=1000000", "Date": "Mon, 30 Nov 2037 12:00:00 GMT"})
    server.body = made_here.make_wheel(tmp_path, WHEEL, {"some_thing.py": ""}).read_bytes()
    command = by_address(f"{server.base}/{WHEEL}")
    first = ("--dest", str(tmp_path / "first"))
    subprocess.run([*PIP, "download", "--no-deps", *first, command[-1]], check=True, capture_output=True)
    server.close()
    second = ("--dest", str(tmp_path / "second"))
    again = subprocess.run([*PIP, "download", "--no-deps", *second, command[-1]], check=False, capture_output=True)
    assert again.returncode == 0, "the test itself: pip has it"
    assert asked(command) == []


@pytest.mark.parametrize("kind", ["pip", pytest.param("uv", marks=needs_uv)])
def test_nothing_is_begun_where_the_index_is_away(
    open_workshop: Callable[[str], Workshop], shop: Market, kind: str
) -> None:
    workshop = open_workshop(kind)
    before = workshop.fingerprint()
    shop.close()
    ran = workshop.install()
    assert ran.code == 1, ran
    said = words(ran.err)
    assert (
        f"0/3 look whether what it fetches can be reached attn-doctor: not done: triton cannot be fetched: {shop.base}"
        in said
    )
    assert "refused" in said
    assert "Look at the network" in said
    assert "putting everything back" not in said
    assert workshop.fingerprint() == before
    assert workshop.left_beside() == set()
    assert not (workshop.state / "changes").exists(), "no change was begun"


def test_a_dry_run_asks_nobody(workshop: Workshop, shop: Market) -> None:
    assert workshop.call("install", "triton", "--dry-run", "--offline").code == 0
    assert shop.asked == []


def test_ctrl_c_while_it_is_asked(workshop: Workshop) -> None:
    before = workshop.fingerprint()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        workshop.variables |= {
            "PIP_INDEX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/simple/",
            "PIP_DEFAULT_TIMEOUT": "30",
        }
        process = subprocess.Popen(
            workshop.command("install", "triton", "--yes"),
            env=workshop.environment,
            cwd=workshop.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        silent.settimeout(120)
        with silent.accept()[0]:
            os.killpg(process.pid, signal.SIGINT)
            assert process.communicate(timeout=90) is not None
    assert process.returncode == 130
    assert made_here.running(str(workshop.home)) == [], "pip does not go on asking"
    assert workshop.fingerprint() == before
