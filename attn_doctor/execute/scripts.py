"""The commands that packages bring, of a Python that holds more than packages: they lie beside the folder that is kept.

Of a virtual environment everything is kept, and this does nothing. Of /usr/local in a container only the folder of
packages is, and pip writes `torchrun` and its like into /usr/local/bin: those scripts are kept with the journal. The
first line of a script says that it is one of this very interpreter; nothing else is touched.
"""

from __future__ import annotations

import os
import shutil

from attn_doctor.execute.outside import prefix_of, restore

BEFORE, AFTER = "scripts-before", "scripts-after"
LIMIT_BYTES, HEAD_BYTES = 1 << 16, 64


def beside(target: str) -> str | None:
    """'/usr/local/bin' for '/usr/local/lib/python3.12/site-packages'; None where the target is all there is."""
    prefix = prefix_of(target)
    return os.path.join(prefix, "bin") if prefix else None


def keep(target: str, folder: str) -> None:
    """Copy every script of the target's interpreter to the folder of the change. Raises OSError."""
    if (place := beside(target)) is not None:
        kept = os.path.join(folder, BEFORE)
        os.makedirs(kept + ".part", exist_ok=True)
        for name in _scripts(place):
            shutil.copy2(os.path.join(place, name), os.path.join(kept + ".part", name))
        os.rename(kept + ".part", kept)


def bring_back(target: str, folder: str) -> None:
    """Make them what they were; those that came since go to the folder of the change. Raises OSError."""
    place, kept = beside(target), os.path.join(folder, BEFORE)
    if place is None or not os.path.isdir(kept):
        return
    before = set(os.listdir(kept))
    for name in _scripts(place) - before:
        os.makedirs(os.path.join(folder, AFTER), exist_ok=True)
        shutil.copy2(os.path.join(place, name), os.path.join(folder, AFTER, name))
        os.unlink(os.path.join(place, name))
    for name in sorted(before):
        restore(os.path.join(kept, name), os.path.join(place, name))


def _scripts(place: str) -> set[str]:
    """Small files that begin with an interpreter in this very folder: `#!`, or `#!/bin/sh` and an exec of it."""
    found = set()
    with os.scandir(place) as entries:
        for one in entries:
            if one.is_file(follow_symlinks=False) and one.stat(follow_symlinks=False).st_size <= LIMIT_BYTES:
                with open(one.path, "rb") as file:
                    head = file.read(len(os.fsencode(place)) + HEAD_BYTES)
                if head.startswith(b"#!") and os.fsencode(place) + b"/python" in head:
                    found.add(one.name)
    return found
