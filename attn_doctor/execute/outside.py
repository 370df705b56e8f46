"""What packages of a Python that holds more have put outside its folder of packages: data, headers, programs.

Of a virtual environment everything is kept, and this does nothing. Of /usr/local in a container only the folder of
packages is; what the records in it say lies elsewhere (`share`, `include`, `etc`, `bin`) is kept with the journal.
A record that an installer had no time to finish speaks of the wheel's own folders: they are read as where they lead.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from stat import S_ISDIR

from attn_doctor.execute.kept import drop

BEFORE, AFTER, THERE = "outside-before", "outside-after", "outside-there"
SMALL_BYTES = 1 << 16  # what is larger is linked where that can be: installers write anew, and not into a file


def prefix_of(target: str) -> str | None:
    """'/usr/local' for '/usr/local/lib/python3.12/site-packages'; None where the target is all there is."""
    prefix, found, rest = target.rpartition("/lib/python")
    return prefix if found and rest.endswith("/site-packages") and rest.count("/") == 1 else None


def keep(target: str, folder: str) -> None:
    """Keep what lies outside in the folder of the change. Raises OSError."""
    prefix = prefix_of(target)
    if prefix is None:
        return
    kept = os.path.join(folder, BEFORE)
    os.makedirs(kept + ".part", exist_ok=True)
    paths = sorted(listed(target, target))
    for path in paths:
        _copy(os.path.join(prefix, path), os.path.join(kept + ".part", path))
    there = {*os.listdir(prefix), *_stashed(prefix, paths)}
    with open(os.path.join(folder, THERE), "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\0".join(sorted(there)))
    os.rename(kept + ".part", kept)


def bring_back(target: str, aside: str, folder: str) -> None:
    """Make it what it was; what the packages now in `aside` have brought goes to the folder of the change.

    Called again it goes on. Raises OSError.
    """
    prefix, kept = prefix_of(target), os.path.join(folder, BEFORE)
    if prefix is None or not os.path.isdir(kept):
        return
    before, there = set(_below(kept)), _there(folder)
    for path in sorted(listed(aside, target) - before):
        _copy(os.path.join(prefix, path), os.path.join(folder, AFTER, path))
        os.unlink(os.path.join(prefix, path))
        _tidy(prefix, os.path.dirname(path), there)
    for path in sorted(before):
        restore(os.path.join(kept, path), os.path.join(prefix, path))
    for path in _stashed(prefix, before) - there:
        drop(os.path.join(prefix, path))


def listed(site: str, target: str) -> set[str]:
    """Files outside that the records in `site` name, from the prefix of `target` on; only those that are there."""
    prefix = prefix_of(target) or ""
    found = set()
    for named in _named(site, target):
        path = os.path.normpath(os.path.join(target, named))
        inside = path.startswith(prefix + os.sep) and not path.startswith(target + os.sep)
        if inside and os.path.lexists(path) and not S_ISDIR(os.lstat(path).st_mode):
            found.add(os.path.relpath(path, prefix))
    return found


def _below(folder: str) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        paths = [os.path.join(place, name) for name in (*names, *folders)]
        yield from (os.path.relpath(path, folder) for path in paths if not S_ISDIR(os.lstat(path).st_mode))


def _stashed(prefix: str, paths: Iterable[str]) -> set[str]:
    """'share/~riton': what pip gave another name until it would be done, and had no time to remove."""
    found = set()
    folders = {os.path.dirname(path) for path in paths}
    while folders:
        above = {os.path.split(folder) for folder in folders if folder}
        found |= {os.path.join(parent, f"~{name[1:]}") for parent, name in above}
        folders = {parent for parent, _ in above}
    return {path for path in found if os.path.lexists(os.path.join(prefix, path))}


def _named(site: str, target: str) -> Iterator[str]:
    """Paths as they stand in records, from the folder of packages on."""
    with suppress(OSError):
        for name in os.listdir(site):
            if name.endswith(".dist-info"):
                for path in _column(os.path.join(site, name, "RECORD")):
                    yield _of_a_wheel(path, target)
            elif name.endswith(".egg-info"):
                for path in _column(os.path.join(site, name, "installed-files.txt")):
                    yield os.path.join(name, path)


def _column(file: str) -> Iterator[str]:
    """The paths of a record that lead out of the folder; most lines do not, and are not taken apart."""
    with suppress(OSError), open(file, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            if line.startswith(("..", "/", '"')) or ".data/" in line:
                quoted = line.startswith('"')
                yield line[1:].partition('"')[0] if quoted else line.partition(",")[0].strip()


def _of_a_wheel(path: str, target: str) -> str:
    """'pkg-1.0.data/data/share/x' is '../../../share/x'."""
    top, _, rest = path.partition("/")
    kind, _, inner = rest.partition("/")
    python = os.path.basename(os.path.dirname(target))
    up = os.path.join("..", "..", "..")
    if not top.endswith(".data"):
        return path
    into = {"data": up, "scripts": os.path.join(up, "bin")}
    if kind == "headers":
        return os.path.join(up, "include", python, top.removesuffix(".data").rpartition("-")[0], inner)
    return os.path.join(into[kind], inner) if kind in into else path


def _copy(path: str, to: str) -> None:
    os.makedirs(os.path.dirname(to), exist_ok=True)
    with suppress(FileNotFoundError):
        os.unlink(to)
    if os.lstat(path).st_size > SMALL_BYTES:
        with suppress(OSError):
            os.link(path, to, follow_symlinks=False)
            return
    shutil.copy2(path, to, follow_symlinks=False)
    _own(path, to)


def restore(kept: str, path: str) -> None:
    """Written anew beside its name, and renamed; one that is as it was stays. Raises OSError."""
    with suppress(OSError):
        now, then = os.lstat(path), os.lstat(kept)
        if (now.st_mtime_ns, now.st_size, now.st_mode) == (then.st_mtime_ns, then.st_size, then.st_mode):
            return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with suppress(FileNotFoundError):
        os.unlink(path + ".part")
    shutil.copy2(kept, path + ".part", follow_symlinks=False)
    _own(kept, path + ".part")
    os.replace(path + ".part", path)


def _own(path: str, to: str) -> None:
    if os.name == "posix" and os.geteuid() == 0:
        found = os.lstat(path)
        os.chown(to, found.st_uid, found.st_gid, follow_symlinks=False)


def _there(folder: str) -> set[str]:
    with suppress(OSError), open(os.path.join(folder, THERE), encoding="utf-8", errors="surrogateescape") as file:
        return set(file.read().split("\0"))
    return set()


def _tidy(prefix: str, folder: str, there: set[str]) -> None:
    """Folders that hold nothing any more go too, but for those at the top that were there before."""
    while folder and folder not in there:
        try:
            os.rmdir(os.path.join(prefix, folder))
        except OSError:
            return
        folder = os.path.dirname(folder)
