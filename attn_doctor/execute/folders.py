"""Where attn-doctor keeps what it did: a folder for each change, a note of those that are open, a lock a target."""

from __future__ import annotations

import os
from contextlib import suppress

from attn_doctor.errors import CannotKeep, NotDone

CHANGES, OPEN, LOCKS = "changes", "open", "locks"


def state() -> str:
    """The folder of attn-doctor's own state. Raises CannotKeep."""
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_STATE_HOME", "")
    if not base:
        home = os.environ.get("HOME", "")
        if not home:
            raise CannotKeep("nothing says where state belongs", "Set HOME, or XDG_STATE_HOME, to a folder of yours.")
        base = os.path.join(home, ".local", "state")
    return os.path.join(os.path.abspath(base), "attn-doctor")


def made(*names: str) -> str:
    """A folder below it. Raises NotDone with the reason, CannotKeep."""
    path = os.path.join(state(), *names)
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise cannot_keep(path, error) from error
    return path


def cannot_keep(path: str, error: OSError) -> NotDone:
    """Without a journal nothing is changed."""
    return NotDone(
        f"cannot keep a journal in {path}: {error.strerror}. Without one nothing is changed: make room there, or set "
        "XDG_STATE_HOME to a folder that you may write to"
    )


def write(path: str, data: bytes) -> None:
    """A file as a whole: it is on the disk when this returns. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    flush(os.path.dirname(path))


def write_all(descriptor: int, data: bytes) -> None:
    """Every byte, however few are taken at once. Raises OSError."""
    while data:
        data = data[os.write(descriptor, data) :]


def flush(folder: str) -> None:
    """Make renames in a folder last through a power cut, as far as the file system can."""
    if os.name != "posix":
        return
    with suppress(OSError):  # some file systems cannot: the order of what was written still holds there
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
