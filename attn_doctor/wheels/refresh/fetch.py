"""Asking a server over HTTP: every answer costs a bounded time and has a bounded size, or is a reason in words."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
import urllib.error
import urllib.request
import zlib
from base64 import b64encode
from collections.abc import Mapping
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import cache
from threading import Thread
from typing import IO, Any
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import msgspec

TIMEOUT_VARIABLE = "ATTN_DOCTOR_HTTP_TIMEOUT"
TIMEOUT_S = 20.0
WHOLE_ANSWER = 6  # times the timeout: a server may be slow, but not for ever
LIMIT_BYTES = 48 << 20
CHUNK_BYTES = 1 << 16
MOST_REDIRECTS = 5
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TRUST_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE")  # SSL_CERT_FILE is read by ssl itself
UNCHANGED, NOT_FOUND, GONE, FORBIDDEN, TOO_MANY, UNAUTHORIZED = 304, 404, 410, 403, 429, 401
REDIRECTS = range(300, 400)
PORTS = {"http": ":80", "https": ":443"}
FAR_FUTURE_S = 400 * 86400


class NotFetched(Exception):
    """No answer that can be used; says why."""

    def __init__(
        self, reason: str, *, status: int | None = None, retry_at: float | None = None, whole_host: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.retry_at = retry_at
        self.whole_host = whole_host
        """The next question to this host would end the same way."""

    @property
    def missing(self) -> bool:
        return self.status in (NOT_FOUND, GONE)

    def with_hint(self, hint: str) -> NotFetched:
        return NotFetched(
            f"{self.reason}; {hint}", status=self.status, retry_at=self.retry_at, whole_host=self.whole_host
        )


class Answer(msgspec.Struct, frozen=True):
    """A whole answer. `body` is empty where nothing has changed."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes


class Fetcher:
    """Asks, and remembers which hosts do not answer. `now`: seconds since 1970."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._timeout_s = timeout_s()
        self._opener = urllib.request.build_opener(_Redirects(), urllib.request.HTTPSHandler(context=_trust()))
        self._down: dict[tuple[str, str], NotFetched] = {}

    def get(
        self, url: str, headers: Mapping[str, str], limit_bytes: int = LIMIT_BYTES, *, gives_up_host: bool = True
    ) -> Answer:
        """The answer, 200 or 304. Raises NotFetched; `gives_up_host`: one that fails as a whole is asked no more."""
        plain, credentials = without_credentials(url)
        host = origin(plain)
        if host[0] not in ("http", "https"):
            raise NotFetched(f"{shown(plain)} is neither http nor https")
        if earlier := self._down.get(host):
            raise earlier
        request = urllib.request.Request(plain, headers={**headers, **credentials, "Accept-Encoding": "gzip"})  # noqa: S310
        try:
            return self._in_time(request, limit_bytes)
        except NotFetched as error:
            if error.whole_host and gives_up_host:
                self._down[host] = error
            raise

    def _in_time(self, request: urllib.request.Request, limit_bytes: int) -> Answer:
        """In a thread that is left behind when its time is up: name servers and slow headers know no timeout."""
        ended: list[Answer | NotFetched] = []
        asking = Thread(target=lambda: ended.append(self._ask(request, limit_bytes)), daemon=True)
        asking.start()
        asking.join(self._timeout_s * WHOLE_ANSWER + 1)
        result = ended[0] if ended else self._too_slow(request)
        if isinstance(result, NotFetched):
            raise result
        return result

    def _too_slow(self, request: urllib.request.Request) -> NotFetched:
        return NotFetched(
            f"{request.host} did not finish its answer in {self._timeout_s * WHOLE_ANSWER:g} s", whole_host=True
        )

    def _ask(self, request: urllib.request.Request, limit_bytes: int) -> Answer | NotFetched:
        until = time.monotonic() + self._timeout_s * WHOLE_ANSWER
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                body = _whole(response, headers, limit_bytes, until)
                return Answer(response.url, response.status, headers, body)
        except NotFetched as error:
            return error
        except urllib.error.HTTPError as error:
            with error:
                return self._refusal(request, error)
        except TimeoutError:
            return NotFetched(f"{request.host} did not answer in {self._timeout_s:g} s", whole_host=True)
        except Exception as error:  # noqa: BLE001 - one question that goes wrong must not take the others with it
            return self._failure(request, error)

    def _refusal(self, request: urllib.request.Request, error: urllib.error.HTTPError) -> Answer | NotFetched:
        if error.code == UNCHANGED:
            return Answer(request.full_url, UNCHANGED, {}, b"")
        retry_at = self._retry_at(error.headers) if error.code in (FORBIDDEN, TOO_MANY) else None
        if retry_at is not None or error.code == TOO_MANY:
            when = f": ask again after {moment(retry_at)}" if retry_at is not None else ""
            reason = f"{request.host} wants no more questions for now{when}"
            return NotFetched(reason, status=error.code, retry_at=retry_at, whole_host=True)
        if error.code == UNAUTHORIZED:
            reason = f"{request.host} did not accept the credentials (401)"
            return NotFetched(reason, status=error.code, whole_host=True)
        if error.code in REDIRECTS:
            return NotFetched(f"{request.host} sends us on too often, or to what is neither http nor https")
        said = http.client.responses.get(error.code, "")
        return NotFetched(f"{shown(request.full_url)}: {error.code} {said}".rstrip(), status=error.code)

    def _failure(self, request: urllib.request.Request, error: Exception) -> NotFetched:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        host = request.host
        if isinstance(cause, TimeoutError):
            return NotFetched(f"{host} did not answer in {self._timeout_s:g} s", whole_host=True)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotFetched(f"the certificate of {host} is not trusted: {cause.verify_message}", whole_host=True)
        if isinstance(cause, (socket.gaierror, ConnectionRefusedError)):
            return NotFetched(f"{host} cannot be reached: {cause.strerror}", whole_host=True)
        if isinstance(cause, http.client.RemoteDisconnected):
            return NotFetched(f"{host} closed the connection without an answer")
        if isinstance(cause, http.client.IncompleteRead):
            return NotFetched(f"the answer of {host} was cut short")
        if isinstance(cause, OSError) and not isinstance(cause, http.client.HTTPException):
            return NotFetched(f"{host}: {cause.strerror or cause}")
        return NotFetched(f"the answer of {host} is not understood ({type(cause).__name__})")

    def _retry_at(self, headers: Message[str, str]) -> float | None:
        """When the server may be asked again; None where it is no matter of too many questions."""
        if wait := headers.get("Retry-After"):
            if wait.strip().isdecimal():
                return self._near(self._now + int(wait[:9]))
            try:
                return self._near(parsedate_to_datetime(wait).timestamp())
            except (ValueError, OverflowError):
                return None
        reset = (headers.get("X-RateLimit-Reset") or "").strip()
        if (headers.get("X-RateLimit-Remaining") or "").strip() == "0" and reset.isdecimal():
            return self._near(int(reset[:12]))
        return None

    def _near(self, when: float) -> float:
        return min(max(when, self._now), self._now + FAR_FUTURE_S)


def timeout_s() -> float:
    """How long a server may be silent."""
    try:
        return max(0.1, min(600.0, float(os.environ.get(TIMEOUT_VARIABLE) or TIMEOUT_S)))
    except ValueError:
        return TIMEOUT_S


def moment(when: float) -> str:
    """'2026-11-25 14:32 UTC', rounded up to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(when + 59))


def split(url: str) -> SplitResult:
    """The parts of an address. Raises NotFetched where it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        raise NotFetched("its address is none") from None  # and may hold credentials: it is not shown


def origin(url: str) -> tuple[str, str]:
    """Scheme and host with its port, which is not written where it is the scheme's own."""
    parts = split(url)
    return parts.scheme, parts.netloc.rpartition("@")[2].lower().removesuffix(PORTS.get(parts.scheme, ""))


def shown(url: str) -> str:
    """The URL as it may be shown: no credentials, no query."""
    parts = split(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def without_credentials(url: str) -> tuple[str, dict[str, str]]:
    """The URL, and the header that carries what stood before its @."""
    parts = split(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    token = b64encode(unquote(user if ":" in user else f"{user}:").encode()).decode()
    return urlunsplit((parts.scheme, host, parts.path, parts.query, "")), {"Authorization": f"Basic {token}"}


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that pip is told to trust are trusted here too."""
    context = ssl.create_default_context()
    for name in TRUST_VARIABLES:
        file = os.environ.get(name)
        if file and os.path.isfile(file):
            try:
                context.load_verify_locations(cafile=file)
            except (OSError, ssl.SSLError):
                continue
    return context


def _whole(response: Any, headers: Mapping[str, str], limit_bytes: int, until: float) -> bytes:
    """The body, unpacked. Raises NotFetched where it is cut, too large or too slow."""
    host = urlsplit(response.url).netloc
    packed = headers.get("content-encoding", "").lower() == "gzip"
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if packed else None
    body = bytearray()
    received = 0
    while chunk := response.read1(CHUNK_BYTES):
        received += len(chunk)
        body += unpack.decompress(chunk, limit_bytes + 1 - len(body)) if unpack else chunk
        if len(body) > limit_bytes:
            raise NotFetched(f"the answer of {host} is larger than {limit_bytes >> 20 or 1} MiB")
        if time.monotonic() > until:
            raise NotFetched(f"{host} did not finish its answer in time", whole_host=True)
    promised = headers.get("content-length", "")
    if (promised.isdecimal() and received < int(promised)) or (unpack and not unpack.eof):
        raise NotFetched(f"the answer of {host} was cut short")
    return bytes(body)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """At most a handful, never from https to http, and credentials stay with the host they are for."""

    max_redirections = MOST_REDIRECTS
    max_repeats = 2

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme, host = origin(newurl)
        downgraded = req.type == "https" and scheme == "http" and split(newurl).hostname not in LOOPBACK
        if downgraded or scheme not in ("http", "https"):
            fp.close()
            how = "without encryption" if downgraded else "by neither http nor https"
            raise NotFetched(f"{req.host} sends us on to {host} {how}")
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and (scheme, host) != origin(req.full_url):
            following.remove_header("Authorization")
        return following
