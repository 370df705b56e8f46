"""One change at a time for each target: a lock that goes with the process that holds it, however that ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

from attn_doctor.errors import TargetBusy
from attn_doctor.execute import folders


@contextmanager
def locked(target: str) -> Iterator[None]:
    """Hold the lock of a target, named by its real path. Raises TargetBusy where another process holds it, CannotKeep.

    One lock lies with our own state, for the target may not be there; one on the target's folder, for others whose
    state lies elsewhere.
    """
    with _own(target), _of_the_folder(target):
        yield


@contextmanager
def _own(target: str) -> Iterator[None]:
    name = sha256(os.fsencode(target)).hexdigest()[:16]
    path = os.path.join(folders.made(folders.LOCKS), name)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise folders.cannot_keep(path, error) from error
    try:
        if not _taken(descriptor):
            raise TargetBusy(target, _holder(descriptor))
        with suppress(OSError):  # who holds it is for people: a full disk need not know
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)  # the lock goes with it


@contextmanager
def _of_the_folder(target: str) -> Iterator[None]:
    try:
        descriptor = os.open(target, os.O_RDONLY) if os.name == "posix" else None
    except OSError:
        descriptor = None
    try:
        if descriptor is not None and not _taken(descriptor):
            raise TargetBusy(target, None)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _taken(descriptor: int) -> bool:
    if os.name == "nt":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks
    return True


def _holder(descriptor: int) -> str | None:
    with suppress(OSError, ValueError):
        return str(int(os.read(descriptor, 20)))
    return None
