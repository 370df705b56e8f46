"""What was found in large libraries, kept from one call to the next in a folder of our own.

Best effort, and silent: whatever stands in the way, nothing is known, and the library is read. Why and how:
docs/adr/0006-remembered-gpu-code.md.
"""

from __future__ import annotations

import binascii
import os
import stat
from contextlib import suppress

import msgspec

from attn_doctor import __version__
from attn_doctor.machine import cache

SCHEMA = "attn-doctor/remembered/1"
NAME = "remembered.json"
MAX_FILES = 256
MAX_BYTES = 1 << 20

# device, inode, size, last change of its bytes, last change of anything about it
Identity = tuple[int, int, int, int, int]
FAILURES = (OSError, ValueError, RecursionError, msgspec.MsgspecError)


class Entry(msgspec.Struct, frozen=True):
    """One file, and what was found in it, as JSON."""

    identity: Identity
    found: msgspec.Raw


class Document(msgspec.Struct, frozen=True):
    """The cache, oldest entry first. What another version of attn-doctor read, this one reads anew."""

    schema: str
    version: str
    checksum: int
    files: msgspec.Raw  # dict[str, Entry], by real path


def identity(found: os.stat_result) -> Identity:
    """What makes a file this very file."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Memory:
    """What earlier calls found. No method fails."""

    def __init__(self) -> None:
        self._place = place()
        self._files = self._load()

    def find(self, path: str, opened: os.stat_result) -> bytes | None:
        """The JSON that was kept for exactly the file that was opened."""
        entry = self._files.get(os.path.realpath(path)) if self._files else None
        return bytes(entry.found) if entry and entry.identity == identity(opened) else None

    def keep(self, path: str, opened: os.stat_result, found: bytes) -> None:
        """Write it down beside what others have written since."""
        if self._place is None:
            return
        self._files = self._load()
        real = os.path.realpath(path)
        self._files.pop(real, None)
        self._files[real] = Entry(identity(opened), msgspec.Raw(found))
        for oldest in list(self._files)[:-MAX_FILES]:
            del self._files[oldest]
        with suppress(*FAILURES):
            _replace(self._place, _encoded(self._files))

    def _load(self) -> dict[str, Entry]:
        with suppress(*FAILURES):
            found = os.stat(self._place) if self._place else None
            if self._place and found and stat.S_ISREG(found.st_mode) and cache.is_ours(found):
                with open(self._place, "rb") as file:
                    return _decoded(file.read(MAX_BYTES + 1))
        return {}


def place() -> str | None:
    """The file of the cache; None where there is to be none."""
    return cache.place(NAME)


def _decoded(data: bytes) -> dict[str, Entry]:
    document = msgspec.json.decode(data, type=Document)
    known = (document.schema, document.version) == (SCHEMA, __version__) and len(data) <= MAX_BYTES
    if not known or binascii.crc32(document.files) != document.checksum:
        return {}
    return msgspec.json.decode(document.files, type=dict[str, Entry])


def _encoded(files: dict[str, Entry]) -> bytes:
    encoded = msgspec.json.encode(files)
    document = Document(SCHEMA, __version__, binascii.crc32(encoded), msgspec.Raw(encoded))
    return msgspec.json.encode(document) + b"\n"


def _replace(target: str, data: bytes) -> None:
    if len(data) <= MAX_BYTES:
        cache.replace(target, data)
