"""Credentials of the user's index settings stay out of every log and every output."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from urllib.parse import unquote

HIDDEN = b"****"
USER_INFO = re.compile(rb"(?<=://)[^/\s@'\"]+(?=@)")
IN_QUERY = re.compile(
    rb"(?i)(?<=[?&])((?:access_?|auth_?|api_?)?(?:token|key|password|secret)|sig|[\w-]*signature)=[^&\s'\"]+"
)
IN_PATH = re.compile(rb"(?<=/t/)[\w-]{8,}(?=/)")  # of a conda channel: https://host/t/TOKEN/channel
IN_HEADER = re.compile(rb"(?i)\b(authorization:\s*\w+|bearer)\s+[\w+/=.~-]{8,}")
NAMED = re.compile(r"(?i)password|passwd|token|secret|api_?key|credential")
ASSIGNED = re.compile(r"(?im)\b(?:password|passwd|token|secret)\b[\"']?\s*[=:\s]\s*[\"']?([^\s\"'#,}]+)")
SHORTEST = 6  # what is shorter and stands alone hides in ordinary words
FILE_LIMIT_BYTES = 1 << 20
PENDING_BYTES = 1 << 16


def hidden(data: bytes, secrets: Iterable[bytes] = ()) -> bytes:
    """The same without user names and passwords in addresses, tokens in queries, and what is known to be secret."""
    for one in secrets:
        data = data.replace(one, HIDDEN)
    data = USER_INFO.sub(HIDDEN, data)
    data = IN_QUERY.sub(rb"\1=" + HIDDEN, data)
    data = IN_PATH.sub(HIDDEN, data)
    return IN_HEADER.sub(rb"\1 " + HIDDEN, data)


def hidden_text(text: str, secrets: Iterable[bytes] = ()) -> str:
    """The same of a sentence."""
    return hidden(text.encode("utf-8", "surrogateescape"), secrets).decode("utf-8", "surrogateescape")


class Redacted:
    """A stream in pieces: what may be the beginning of a secret waits for the rest of its line."""

    def __init__(self, secrets: Iterable[bytes]) -> None:
        self._secrets = tuple(secrets)
        self._pending = b""

    def feed(self, data: bytes) -> bytes:
        """What can be said by now."""
        self._pending += data
        cut = max(self._pending.rfind(b"\n"), self._pending.rfind(b"\r")) + 1
        if not cut and len(self._pending) > PENDING_BYTES:
            cut = self._pending.rfind(b" ") + 1
        whole, self._pending = self._pending[:cut], self._pending[cut:]
        return hidden(whole, self._secrets)

    def rest(self) -> bytes:
        """What is left at the end."""
        last, self._pending = self._pending, b""
        return hidden(last, self._secrets)


def secrets(environment: Mapping[str, str], target: str = "") -> tuple[bytes, ...]:
    """What variables and the files of pip, uv and netrc hold, the longest first."""
    found: set[str] = set()
    for name, value in environment.items():
        found |= set(_of_addresses(value))
        if NAMED.search(name):
            found.add(value)
    for path in _files(environment, target):
        found |= set(_of_file(path))
    found |= {unquote(one) for one in found}
    usable = {one.strip().encode("utf-8", "surrogateescape") for one in found if len(one.strip()) >= SHORTEST}
    return tuple(sorted(usable, key=lambda one: (-len(one), one)))


def _of_addresses(text: str) -> Iterator[str]:
    for match in USER_INFO.finditer(text.encode("utf-8", "surrogateescape")):
        user, colon, password = match[0].decode("utf-8", "surrogateescape").partition(":")
        yield password if colon and password else user


def _of_file(path: str) -> Iterator[str]:
    with suppress(OSError, ValueError):
        if not os.path.isfile(path):
            return  # a FIFO of that name would be waited for
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read(FILE_LIMIT_BYTES)
        yield from _of_addresses(text)
        if os.path.basename(path) != "pyproject.toml":
            yield from ASSIGNED.findall(text)


def _files(environment: Mapping[str, str], target: str) -> Iterator[str]:
    for name in ("PIP_CONFIG_FILE", "UV_CONFIG_FILE", "NETRC"):
        if environment.get(name):
            yield environment[name]
    home = environment.get("HOME") or environment.get("USERPROFILE") or ""
    config = environment.get("XDG_CONFIG_HOME") or (os.path.join(home, ".config") if home else "")
    data = environment.get("XDG_DATA_HOME") or (os.path.join(home, ".local", "share") if home else "")
    named = ((home, ".pip/pip.conf"), (home, ".netrc"), (home, "_netrc"), (home, ".pypirc"), (home, "pip/pip.ini"))
    own = ((config, "pip/pip.conf"), (config, "uv/uv.toml"), (data, "uv/credentials/credentials.toml"))
    machine = (("/etc", "pip.conf"), ("/etc", "uv/uv.toml"), (target, "pip.conf"), (target, "pip.ini"))
    yield from (os.path.join(base, name) for base, name in (*named, *own, *machine) if base)
    yield from _above_here()


def _above_here() -> Iterator[str]:
    with suppress(OSError):
        folder = os.getcwd()
        while True:
            yield os.path.join(folder, "uv.toml")
            yield os.path.join(folder, "pyproject.toml")
            if os.path.dirname(folder) == folder:
                return
            folder = os.path.dirname(folder)
