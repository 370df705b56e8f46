"""The refreshed copy of the catalogue: one file in a cache folder of ours, used whole or not at all.

A first line that says format, checksum and length of the header; the header, which says where each shelf lies and
what its checksum is; the shelves. A search reads the header and one shelf. Writing it: `refresh/store.py`.
"""

from __future__ import annotations

import errno
import os
import stat
from binascii import crc32

import msgspec

FORMAT = 1
MAGIC = b"attn-doctor/wheels-copy/"
FOLDER = "wheels"
NAME = "catalogue"
OFF_VARIABLE = "ATTN_DOCTOR_NO_CACHE"
HEADER_LIMIT_BYTES = 1 << 20
SHELF_LIMIT_BYTES = 64 << 20
FIRST_READ_BYTES = 1 << 14
SAYS = "the refreshed copy of the catalogue"


class Damaged(Exception):
    """The copy is there and cannot be used; says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class Section(msgspec.Struct, frozen=True, array_like=True):
    """Where a shelf lies behind the header."""

    offset: int
    length: int
    checksum: int


class Header(msgspec.Struct, frozen=True):
    """What stands before the shelves."""

    version: str
    """Of the attn-doctor that wrote it."""
    as_of: str
    snapshots: dict[str, str]
    """The day each source was last read."""
    shelves: dict[str, Section]


class Copy(msgspec.Struct, frozen=True):
    """A copy whose header was read and is sound."""

    path: str
    start: int
    """Where the first shelf begins."""
    checksum: int
    """Of the header, and so of everything."""
    as_of: str
    snapshots: dict[str, str]
    shelves: dict[str, Section]


# where there can be no copy at all
NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def place() -> str | None:
    """The folder; None where caches are turned off, or nothing says where they belong."""
    if os.environ.get(OFF_VARIABLE):
        return None
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", "")
    home = os.environ.get("HOME", "")
    if not os.path.isabs(base) and os.name != "nt" and os.path.isabs(home) and os.path.isdir(home):
        base = os.path.join(home, ".cache")
    return os.path.join(base, "attn-doctor", FOLDER) if os.path.isabs(base) else None


def find() -> Copy | None:
    """The copy, where there is one. Raises Damaged."""
    folder = place()
    if folder is None:
        return None
    path = os.path.join(folder, NAME)
    try:
        found = os.stat(path)
        if not is_ours(found):
            return None
        if not stat.S_ISREG(found.st_mode):
            raise Damaged("it is not a file")
        with open(path, "rb") as file:
            start = file.read(FIRST_READ_BYTES)
            line, _, rest = start.partition(b"\n")
            length, checksum = _first_line(line)
            header = rest[:length] if len(rest) >= length else rest + file.read(length - len(rest))
    except OSError as error:
        if error.errno in NOWHERE:
            return None
        raise Damaged(f"it cannot be read ({error.strerror})") from error
    return _sound(path, len(line) + 1 + length, found.st_size, _decoded(header, checksum), checksum)


def read(copy: Copy, stem: str) -> bytes:
    """One shelf, as it was written. Raises Damaged."""
    section = copy.shelves[stem]
    try:
        with open(copy.path, "rb") as file:
            file.seek(copy.start + section.offset)
            data = file.read(section.length)
    except OSError as error:
        raise Damaged(f"it cannot be read ({error.strerror})") from error
    if len(data) != section.length or crc32(data) != section.checksum:
        raise Damaged(f"it is damaged ({stem})")
    return data


def encoded(version: str, as_of: str, snapshots: dict[str, str], shelves: dict[str, bytes]) -> bytes:
    """The whole file."""
    sections: dict[str, Section] = {}
    offset = 0
    for stem, data in shelves.items():
        sections[stem] = Section(offset, len(data), crc32(data))
        offset += len(data)
    header = msgspec.json.encode(Header(version, as_of, snapshots, sections))
    return b"%s%d %08x %d\n%s%s" % (MAGIC, FORMAT, crc32(header), len(header), header, b"".join(shelves.values()))


def is_ours(found: os.stat_result) -> bool:
    """Another user's cache is not believed, and not written into: `sudo` may keep the HOME of who called it."""
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def _first_line(line: bytes) -> tuple[int, int]:
    """Length and checksum of the header."""
    try:
        written, checksum, length = line.removeprefix(MAGIC).split(b" ") if line.startswith(MAGIC) else (b"", b"", b"")
        form, size, wanted = int(written), int(length), int(checksum, 16)
    except ValueError:
        raise Damaged("it is damaged (its first line)") from None
    if form > FORMAT:
        raise Damaged(f"a newer attn-doctor wrote it (format {form}; this one reads {FORMAT})")
    if form != FORMAT or not 0 < size <= HEADER_LIMIT_BYTES:
        raise Damaged("it is damaged (its first line)")
    return size, wanted


def _decoded(data: bytes, checksum: int) -> Header:
    if crc32(data) != checksum:
        raise Damaged("it is damaged (its header)")
    try:
        return msgspec.json.decode(data, type=Header)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Damaged(f"it is damaged ({error})") from error


def _sound(path: str, start: int, size: int, header: Header, checksum: int) -> Copy:
    end = max((section.offset + section.length for section in header.shelves.values()), default=0)
    if size != start + end or any(section.length > SHELF_LIMIT_BYTES for section in header.shelves.values()):
        raise Damaged("it is damaged (its length)")
    return Copy(path, start, checksum, header.as_of, header.snapshots, header.shelves)
