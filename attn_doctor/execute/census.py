"""The processes of a build: all of one session, so that a compiler whose parent died is still among them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec

STAT_FIELDS = 22  # of /proc/PID/stat up to and with the start time
# what runs commands side by side: its children are the jobs
SCHEDULERS = frozenset({"ninja", "ninja-build", "samu", "make", "gmake"})
ENDED = "ZXx"


class Process(msgspec.Struct, frozen=True):
    """One process at one moment. `started` orders them; `memory_bytes` is what it holds in memory."""

    pid: int
    parent: int
    name: str
    started: float
    memory_bytes: int


class Job(msgspec.Struct, frozen=True):
    """One command of the scheduler, with everything that it started."""

    pids: tuple[int, ...]
    started: float
    memory_bytes: int


def census(session: int) -> tuple[Process, ...]:
    """Every living process of that session."""
    read = _by_proc if os.path.isdir("/proc/self") else _by_psutil
    return tuple(sorted(read(session), key=lambda one: (one.started, one.pid)))


def members(session: int) -> list[int]:
    """Their numbers alone."""
    return [pid for pid in _pids() if _session(pid) == session]


def _pids() -> list[int]:
    if os.path.isdir("/proc/self"):
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    import psutil

    return psutil.pids()


def _session(pid: int) -> int | None:
    with suppress(OSError):
        return os.getsid(pid)
    return None


def _by_proc(session: int) -> Iterator[Process]:
    page = os.sysconf("SC_PAGE_SIZE")
    for pid in members(session):
        with suppress(OSError, ValueError):
            with open(f"/proc/{pid}/stat", "rb") as file:
                one = parse_stat(file.read(), page)
            if one is not None:
                yield one


def parse_stat(text: bytes, page: int) -> Process | None:
    """A line of /proc/PID/stat; its name may hold spaces and parentheses. None for one that has ended."""
    head, _, rest = text.rpartition(b")")
    pid, _, name = head.partition(b" (")
    fields = rest.split()
    state, parent, started, resident = fields[0], fields[1], fields[19], fields[21]
    if state.decode() in ENDED:
        return None
    return Process(int(pid), int(parent), name.decode(errors="replace"), float(started), int(resident) * page)


def _by_psutil(session: int) -> Iterator[Process]:
    import psutil

    for pid in members(session):
        with suppress(psutil.Error):
            one = psutil.Process(pid)
            with one.oneshot():
                if one.status() != psutil.STATUS_ZOMBIE:
                    yield Process(pid, one.ppid(), one.name(), one.create_time(), one.memory_info().rss)


def jobs(found: Sequence[Process]) -> tuple[Job, ...]:
    """The jobs of the scheduler, the oldest first; none where nothing runs side by side."""
    schedulers = {one.pid for one in found if one.name in SCHEDULERS}
    roots = [one for one in found if one.parent in schedulers and one.pid not in schedulers]
    return tuple(_job(root, found) for root in roots)


def _job(root: Process, found: Sequence[Process]) -> Job:
    family = [root]
    for one in found:  # in the order of their starts: a parent comes before its children
        if one.pid != root.pid and any(one.parent == older.pid for older in family):
            family.append(one)
    return Job(tuple(one.pid for one in family), root.started, sum(one.memory_bytes for one in family))


def send(number: signal.Signals, pids: Sequence[int], session: int) -> None:
    """Only to those that still belong to it: a number may be another's by now."""
    for pid in pids:
        if _session(pid) == session:
            with suppress(OSError):
                os.kill(pid, number)
