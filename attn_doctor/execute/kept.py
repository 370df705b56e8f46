"""What is kept aside of a target, and putting it back: renames alone, each of which may be the last thing that happens.

`here` is the target's folder, `there` the copy in hard links that the plan's first step makes beside it (inside.py: or
in it), `aside` where what stands here goes when the copy comes back. Whatever is interrupted, calling the same again
finishes it: what goes aside is marked first, so that the two can be told apart after they changed places.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from stat import S_ISDIR

import msgspec

from attn_doctor.execute import inside
from attn_doctor.execute.exchange import exchange
from attn_doctor.execute.folders import flush

PART = ".part"
MARKER = ".attn-doctor-goes-aside"


class Places(msgspec.Struct, frozen=True):
    """The three folders of one change; they lie on one file system."""

    here: str
    there: str
    aside: str


class Stuck(Exception):
    """Something that is not ours stands in the way: nothing is overwritten."""


def swap(places: Places) -> None:
    """Bring the kept copy back to its place; what stands there goes aside. Raises Stuck, OSError."""
    here, there, aside = places.here, places.there, places.aside
    if inside.holds(places):
        _change_contents(places)
    elif not os.path.lexists(there):
        if not os.path.lexists(here):
            raise Stuck(f"neither {here} nor its copy {there} is there")
    elif not os.path.lexists(here):
        os.rename(there, here)
    elif _is_marked(there):
        _free(aside)
        os.rename(there, aside)
    else:
        _change_places(here, there, aside)
    flush(os.path.dirname(here))
    _unmark(aside)


def _change_places(here: str, there: str, aside: str) -> None:
    if not _is_marked(aside):
        _free(aside)
        try:
            if _mark(here) and exchange(here, there):
                os.rename(there, aside)
                return
            _move(here, aside)
        except OSError:
            if not _is_marked(there):
                _unmark(here)
            raise
    else:
        _move_what_is_in(here, aside)
    flush(os.path.dirname(here))
    os.rename(there, here)


def _change_contents(places: Places) -> None:
    if os.path.lexists(places.there):
        if not _is_marked(places.aside):
            if not inside.is_empty(places.aside):
                _free(places.aside)
            os.makedirs(places.aside, exist_ok=True)
            _mark(places.aside)
        inside.put_aside(places)
    if inside.is_coming(places):
        inside.bring(places)


def _free(aside: str) -> None:
    if os.path.lexists(aside):
        raise Stuck(f"{aside} is in the way: give it another name")


def _move(here: str, aside: str) -> None:
    """Rename a folder. In a container, one that lies in a lower layer of the image cannot be: what is in it can."""
    try:
        os.rename(here, aside)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        os.mkdir(aside)
        _mark(aside)
        _move_what_is_in(here, aside)


def _move_what_is_in(here: str, aside: str) -> None:
    """Called again it goes on; then the folder itself is gone."""
    with os.scandir(here) as entries:
        found = list(entries)
    for one in found:
        other = os.path.join(aside, one.name)
        try:
            os.rename(one.path, other)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.ENOTEMPTY, errno.EEXIST) or not one.is_dir(follow_symlinks=False):
                raise
            os.makedirs(other, exist_ok=True)
            _move_what_is_in(one.path, other)
    shutil.copystat(here, aside)
    os.rmdir(here)


def _mark(folder: str) -> bool:
    with suppress(OSError):
        os.close(os.open(os.path.join(folder, MARKER), os.O_WRONLY | os.O_CREAT, 0o600))
        flush(folder)
        return True
    return False


def _is_marked(folder: str) -> bool:
    return os.path.lexists(os.path.join(folder, MARKER))


def _unmark(folder: str) -> None:
    with suppress(OSError):
        os.unlink(os.path.join(folder, MARKER))


def is_moving(places: Places) -> bool:
    """Whether a swap has begun: to go on is then the only way."""
    if inside.holds(places):
        return inside.is_coming(places) or _is_marked(places.aside)
    return not os.path.lexists(places.here) or any(map(_is_marked, (places.here, places.there, places.aside)))


def drop(path: str) -> str | None:
    """Remove a copy of ours; its path where something of it cannot be removed."""
    with suppress(FileNotFoundError):
        if not S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
        else:
            _open(path)
            shutil.rmtree(path, onerror=_open_and_again)
    return path if os.path.lexists(path) else None


def _open(folder: str) -> None:
    with suppress(OSError):
        os.chmod(folder, 0o700)


def _open_and_again(function: object, path: str, _error: object) -> None:
    """A folder without write permission hides what lies in it: opened, it can be emptied."""
    _open(os.path.dirname(path))
    with suppress(OSError):
        if function is os.unlink:
            os.unlink(path)
        elif function is os.rmdir:
            os.rmdir(path)
        else:  # it could not be listed: now it can
            _open(path)
            shutil.rmtree(path, ignore_errors=True)
            with suppress(FileNotFoundError):
                os.rmdir(path)
