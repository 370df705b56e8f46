"""Two names that change places in one act, so that at no moment one of them is missing; where the kernel can."""

from __future__ import annotations

import os
import sys

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # <fcntl.h>, <linux/fs.h>


def exchange(one: str, other: str) -> bool:
    """Whether they changed places; False where nothing was done (another system, an old kernel, a union of folders)."""
    if sys.platform != "linux":
        return False
    import ctypes

    rename = getattr(ctypes.CDLL(None), "renameat2", None)  # glibc since 2.28
    if rename is None:
        return False
    names = (os.fsencode(one), os.fsencode(other))
    code: int = rename(AT_FDCWD, names[0], AT_FDCWD, names[1], ctypes.c_uint(RENAME_EXCHANGE))
    return code == 0
