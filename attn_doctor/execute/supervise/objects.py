"""Which objects of a build are done: read from what ninja writes, so that a silent installer hides nothing."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence

import msgspec

PLAN, DONE = "build.ninja", ".ninja_log"
# where setuptools puts objects in a folder of sources, and where uv unpacks sources in its cache
UNDER = ("build/*", "build/*/*", "sdists-v*/*/*/*/*/*/src/build/*", "sdists-v*/*/*/*/*/src/build/*")
STATUS = re.compile(rb"^\s*\[(\d+)/(\d+)\] ", re.MULTILINE)
BUILD = re.compile(r"^build ((?:[^:$]|\$.)*):\s*(\S+)", re.MULTILINE)
OBJECTS = (".o", ".obj")
COLUMNS = 5  # of a line of ninja's log: start, end, time of the file, output, hash of the command


class Count(msgspec.Struct, frozen=True):
    """Objects that are done, and all there are; None: not known."""

    done: int
    total: int | None


def folders(root: str) -> tuple[str, ...]:
    """Those that ninja builds in."""
    found = {os.path.dirname(path) for under in UNDER for path in glob.iglob(f"{glob.escape(root)}/{under}/{PLAN}")}
    return tuple(sorted(found))


def count(found: Sequence[str]) -> Count | None:
    """In all of these folders; None where there is none yet."""
    if not found:
        return None
    done = total = 0
    for folder in found:
        wanted = outputs(_text(os.path.join(folder, PLAN)))
        logged = set(finished(_text(os.path.join(folder, DONE))))
        total += len(wanted)
        done += sum(one in logged and os.path.exists(os.path.join(folder, one)) for one in wanted)
    return Count(done, total)


def outputs(text: str) -> list[str]:
    """What a build.ninja builds: the first output of every statement."""
    joined = text.replace("$\n", "")
    found = (match[1].strip() for match in BUILD.finditer(joined) if match[2] != "phony")
    return [re.sub(r"\$(.)", r"\1", re.split(r"(?<!\$) ", one)[0]) for one in found]


def finished(text: str) -> Iterator[str]:
    """The outputs that a .ninja_log lists; an entry is written when its command has ended well."""
    for line in text.splitlines():
        columns = line.split("\t")
        if len(columns) == COLUMNS:
            yield columns[3]


def status(data: bytes) -> Count | None:
    """The last '[12/73]' that ninja printed there."""
    found = STATUS.findall(data)
    return Count(int(found[-1][0]), int(found[-1][1])) if found else None


def loose(root: str) -> int:
    """Objects of a build without ninja: how many there are; of how many nobody says."""
    places = glob.iglob(f"{glob.escape(root)}/build/temp*")
    return sum(name.endswith(OBJECTS) for place in places for _, _, names in os.walk(place) for name in names)


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""
