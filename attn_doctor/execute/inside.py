"""A target that is a file system of its own: nothing of it can lie beside it, so its copies lie in a folder in it.

Its own folder cannot be renamed either. What is in it goes aside, entry by entry, then what is in the copy comes: a
handful of renames. One rename of the copy's folder stands between the two, so that whoever goes on knows where it was.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from attn_doctor.execute.folders import flush
from attn_doctor.plan.steps import AREA

if TYPE_CHECKING:
    from attn_doctor.execute.kept import Places

COMING = ".coming"


def holds(places: Places) -> bool:
    """Whether its copies lie in the target."""
    return os.path.dirname(places.there) == os.path.join(places.here, AREA)


def is_coming(places: Places) -> bool:
    """Whether what was there is aside already, and the copy on its way."""
    return os.path.lexists(places.there + COMING)


def is_empty(folder: str) -> bool:
    """A folder that was made ahead, for a disk that is full when it is needed."""
    with suppress(OSError):
        return not os.listdir(folder)
    return False


def make_ready(places: Places) -> None:
    """Make the folder that putting back would need. Raises OSError."""
    os.makedirs(places.aside, exist_ok=True)


def take_away(places: Places) -> None:
    """What was made ready and is not needed, and the folder of copies once it holds none."""
    for folder in (places.aside, os.path.dirname(places.there)):
        with suppress(OSError):
            os.rmdir(folder)


def put_aside(places: Places) -> None:
    """What is in the target goes aside; called again it goes on. Raises OSError."""
    _move(places.here, places.aside)
    flush(places.aside)
    os.rename(places.there, places.there + COMING)
    flush(os.path.dirname(places.there))


def bring(places: Places) -> None:
    """What is in the copy comes; called again it goes on. Raises OSError."""
    coming = places.there + COMING
    _move(coming, places.here)
    shutil.copystat(coming, places.here)
    os.rmdir(coming)
    flush(places.here)


def _move(folder: str, to: str) -> None:
    with os.scandir(folder) as entries:
        names = [one.name for one in entries if one.name != AREA]
    for name in names:
        os.rename(os.path.join(folder, name), os.path.join(to, name))
