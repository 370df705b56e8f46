"""Free space where an install or a build writes: the target, the temporary folder, the cache."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.machine.facts import Known, Reading, Unknown
from attn_doctor.machine.host import Host, join
from attn_doctor.machine.probe import Edit, Probe, WhatIf
from attn_doctor.machine.probes.memory import GIB, parse_size, rounded
from attn_doctor.machine.target import Target

MOUNTS = "/proc/self/mountinfo"
POINT = 4  # the field that holds the mount point


class Place(msgspec.Struct, frozen=True):
    """A folder that is written to. Bytes; free space rounded down to a GiB."""

    purpose: str  # target, temporary, cache
    path: str
    free_bytes: int
    noexec: bool = False
    read_only: bool = False


class Disk(msgspec.Struct, frozen=True, omit_defaults=True):
    """The places, in the order target, temporary, cache.

    `mounts` are those folders of the target that are file systems of their own: they cannot be renamed, and nothing of
    them can lie beside them.
    """

    places: tuple[Place, ...]
    mounts: tuple[str, ...] = ()


def folders(host: Host, target: Target) -> list[tuple[str, str]]:
    """Purpose and path of every place a build writes to."""
    home = host.env("HOME") or host.env("USERPROFILE") or "/"
    temporary = host.env("TMPDIR") or host.env("TEMP") or "/tmp"  # noqa: S108 - the default of the tools that we foresee
    cache = host.env("XDG_CACHE_HOME") or join(home, ".cache")
    return [("target", target.prefix), ("temporary", temporary), ("cache", cache)]


def _disk_of(host: Host, path: str) -> tuple[int, int, str] | None:
    """Of the folder itself, or of the nearest one above it that exists."""
    found = host.disk(path)
    while found is None and path not in ("", "/"):
        path = path.rpartition("/")[0]
        found = host.disk(path or "/")
    return found


def read(host: Host, target: Target) -> Reading[Disk]:
    places = []
    for purpose, path in folders(host, target):
        found = _disk_of(host, path)
        if found:
            free, _, flags = found
            places.append(Place(purpose, path, rounded(free), "noexec" in flags, "ro" in flags))
    if not places:
        return Unknown("no file system answers")
    return Known(Disk(tuple(places), _mounts(host, target)), source="statvfs")


def _mounts(host: Host, target: Target) -> tuple[str, ...]:
    """Where nobody tells what is mounted, nothing is taken to be."""
    known = parse_mounts(host.read_text(MOUNTS) or "")
    own = {host.real_path(folder) for folder in (target.prefix, *target.site_packages)} if known else set()
    return tuple(sorted(own & known))


def parse_mounts(text: str) -> set[str]:
    """The mount points of a /proc/PID/mountinfo; blanks and their like stand there in octal."""
    fields = (line.split(" ") for line in text.splitlines())
    return {re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), one[4]) for one in fields if len(one) > POINT}


def _disk(edit: Edit, _key: str, value: str) -> None:
    size = parse_size(value)
    old = edit.readings.get("disk")
    places = old.value.places if isinstance(old, Known) else (Place("target", "/", 0),)
    changed = tuple(msgspec.structs.replace(place, free_bytes=size) for place in places)
    mounts = old.value.mounts if isinstance(old, Known) else ()
    edit.readings["disk"] = Known(Disk(changed, mounts), source="what-if")


PLAIN = Disk((Place("target", "/", 100 * GIB),))
PROBE = Probe("disk", Disk, read, plain=PLAIN, what_if=(WhatIf("disk", "a size such as 100GiB", _disk),))
