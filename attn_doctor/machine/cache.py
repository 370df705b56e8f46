"""The folder for what attn-doctor keeps from one call to the next. Imports next to nothing: a cache must be quick."""

from __future__ import annotations

import os
import time

OFF_VARIABLE = "ATTN_DOCTOR_NO_CACHE"
FOLDER = "attn-doctor"


def place(name: str) -> str | None:
    """A file of the cache; None where it is turned off, or nothing says where caches belong."""
    if os.environ.get(OFF_VARIABLE):
        return None
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", "")
    home = os.environ.get("HOME", "")
    if not os.path.isabs(base) and os.name != "nt" and os.path.isabs(home) and os.path.isdir(home):
        base = os.path.join(home, ".cache")
    return os.path.join(base, FOLDER, name) if os.path.isabs(base) else None


def is_ours(found: os.stat_result) -> bool:
    """Another user's cache is not believed, and not written into: `sudo` may keep the HOME of who called it."""
    return not hasattr(os, "geteuid") or found.st_uid == os.geteuid()


def replace(target: str, data: bytes) -> None:
    """Whole or not at all: two calls at once, or one that is interrupted, leave no half document. Raises OSError."""
    folder = os.path.dirname(target)
    nearest = folder
    while not os.path.exists(nearest):
        nearest = os.path.dirname(nearest)
    if not is_ours(os.stat(nearest)):
        return
    os.makedirs(folder, mode=0o700, exist_ok=True)
    temporary = f"{target}.{os.getpid()}.{time.time_ns()}"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
