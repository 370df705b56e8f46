"""What was done, line by line, each with its checksum: it survives a kill, a power cut and a cut at any byte.

A line that is not whole, and everything behind it, counts as never written: what it would have said had not been done
when it was written, for a line is on the disk before the act that it announces.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from zlib import crc32

import msgspec

from attn_doctor.execute.folders import flush, write_all

NAME, RESERVE = "journal", "reserve"
RESERVE_BYTES = 8192


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. `at` is UTC, for people alone: nothing is decided by a clock."""

    kind: str
    at: str = ""
    step: int | None = None
    text: str = ""
    here: str = ""
    there: str = ""
    aside: str = ""
    makes: tuple[str, ...] = ()


class Journal:
    """The journal in the folder of one change."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, NAME)
        self.reserve = os.path.join(folder, RESERVE)

    def write(self, event: Event) -> None:
        """Add a line; it is on the disk when this returns. Raises OSError.

        On a full disk the room that was set aside is given up for it: to put back must not need a byte.
        """
        try:
            self._write(event)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            with suppress(OSError):
                os.unlink(self.reserve)
            self._write(event)

    def _write(self, event: Event) -> None:
        whole = sum(len(line) for line in _lines(self._bytes()))
        data = msgspec.json.encode(msgspec.structs.replace(event, at=now()))
        new = not os.path.exists(self.path)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, whole)  # what a cut left of a line is not to stand before this one
            os.lseek(descriptor, whole, os.SEEK_SET)
            write_all(descriptor, b"%08x %s\n" % (crc32(data), data))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if new:
            flush(os.path.dirname(self.path))

    def events(self) -> tuple[Event, ...]:
        """Every whole line, in order."""
        return tuple(msgspec.json.decode(line[9:], type=Event) for line in _lines(self._bytes()))

    def try_to_write(self, event: Event) -> bool:
        """Add a line where there is room for one: on a full disk, what it speaks of is done all the same."""
        try:
            self.write(event)
        except OSError:
            return False
        return True

    def _bytes(self) -> bytes:
        try:
            with open(self.path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return b""


def _lines(data: bytes) -> Iterator[bytes]:
    """The lines up to the first that is not whole."""
    for line in data.split(b"\n")[:-1]:
        if not _is_whole(line + b"\n"):
            return
        yield line + b"\n"


def _is_whole(line: bytes) -> bool:
    if b"%08x " % crc32(line[9:-1]) != line[:9]:
        return False
    try:
        msgspec.json.decode(line[9:], type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def now() -> str:
    """'2026-11-25T13:58:01Z'."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
