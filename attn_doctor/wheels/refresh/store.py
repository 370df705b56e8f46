"""The cache of a refresh: a listing for each source, and the copy of the catalogue made of them all.

Every file is written beside its place and renamed: whoever is interrupted, or comes at the same time, leaves a whole
file. What is damaged here counts as not there; the next refresh writes it anew.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
import time
from binascii import crc32
from contextlib import suppress

import msgspec

from attn_doctor.errors import CannotKeep
from attn_doctor.wheels import refreshed
from attn_doctor.wheels.refresh.listing import Listing

SCHEMA = "attn-doctor/wheels-listing/1"
LISTINGS = "listings"
TEMPORARY = ".new-"
ABANDONED_S = 86400.0
LIMIT_BYTES = 256 << 20
FAILURES = (OSError, ValueError, RecursionError, msgspec.MsgspecError)


class Kept(msgspec.Struct, frozen=True):
    """A listing as it lies there."""

    schema: str
    checksum: int
    listing: msgspec.Raw


def open_store() -> str:
    """The folder, made where it is missing and tried. Raises CannotKeep."""
    folder = refreshed.place()
    if folder is None and os.environ.get(refreshed.OFF_VARIABLE):
        raise CannotKeep(
            f"{refreshed.OFF_VARIABLE} is set: there is no place for a refreshed catalogue", "Unset it for this call."
        )
    if folder is None:
        raise CannotKeep("nothing says where caches belong", "Set HOME, or XDG_CACHE_HOME, to a folder of yours.")
    try:
        _check_owner(folder)
        os.makedirs(os.path.join(folder, LISTINGS), mode=0o700, exist_ok=True)
        _sweep(folder)
        _sweep(os.path.join(folder, LISTINGS))
        _try(folder)
    except OSError as error:
        raise _cannot(folder, error) from error
    return folder


def load(folder: str, source: str) -> Listing | None:
    """The listing of last time."""
    path = _path(folder, source)
    with suppress(*FAILURES):
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            kept = msgspec.json.decode(file.read(LIMIT_BYTES), type=Kept)
        if kept.schema == SCHEMA and crc32(kept.listing) == kept.checksum:
            listing = msgspec.json.decode(kept.listing, type=Listing)
            return listing if listing.source == source else None
    return None


def save(folder: str, listing: Listing) -> None:
    """In place of the one before. Raises OSError."""
    encoded = msgspec.json.encode(listing)
    _replace(_path(folder, listing.source), msgspec.json.encode(Kept(SCHEMA, crc32(encoded), msgspec.Raw(encoded))))


def save_copy(folder: str, data: bytes) -> bool:
    """The catalogue, in place of the one before; False where it is the same. Raises CannotKeep."""
    path = os.path.join(folder, refreshed.NAME)
    with suppress(OSError), open(path, "rb") as file:
        if file.read(len(data) + 1) == data:
            return False
    try:
        _replace(path, data)
    except OSError as error:
        raise _cannot(path, error) from error
    return True


def _path(folder: str, source: str) -> str:
    return os.path.join(folder, LISTINGS, f"{re.sub(r'[^A-Za-z0-9-]', '_', source)}.json")


def _cannot(path: str, error: OSError) -> CannotKeep:
    return CannotKeep(
        f"cannot write {path}: {error.strerror or error}", "What was there before stays, and is still used."
    )


def _check_owner(folder: str) -> None:
    nearest = folder
    while not os.path.exists(nearest) and os.path.dirname(nearest) != nearest:
        nearest = os.path.dirname(nearest)
    if not refreshed.is_ours(os.stat(nearest)):
        raise PermissionError(0, "it belongs to another user")


def _sweep(folder: str) -> None:
    """What a refresh left behind that was killed in the middle."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.name.startswith(TEMPORARY) and time.time() - entry.stat().st_mtime > ABANDONED_S:
                    os.unlink(entry.path)


def _try(folder: str) -> None:
    """Before anything is downloaded."""
    handle, path = tempfile.mkstemp(prefix=TEMPORARY, dir=folder)
    os.close(handle)
    os.unlink(path)


def _replace(target: str, data: bytes) -> None:
    handle, path = tempfile.mkstemp(prefix=TEMPORARY, dir=os.path.dirname(target))
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a power cut must not leave the new name on an empty file
        os.replace(path, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(path)
        raise
