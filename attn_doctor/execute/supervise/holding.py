"""How many jobs may run with the memory that is left: the oldest go on, the youngest wait, and one always runs.

A held job keeps what it has and takes no more. The oldest go on because they end first, and give back the most.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from attn_doctor.execute.census import Job

# how much of the memory is never given to a build, and its bounds
FLOOR_SHARE, FLOOR_LEAST, FLOOR_MOST = 0.05, 256 << 20, 2 << 30
FLOOR_MOST_SHARE = 0.25  # of a small limit
AHEAD_S = 2.0  # what is taken within this time at the present pace counts as taken
SETTLE_S = 2.0  # after a change the memory is watched this long before another job may go on


class Pace(msgspec.Struct, frozen=True):
    """What is remembered from one look to the next."""

    allowed: int | None = None
    """How many jobs may run; None: all."""
    changed_s: float = 0.0
    looked_s: float = 0.0
    left_bytes: int | None = None
    largest_bytes: int = 0
    """The most that one job was seen to take."""


def floor(total_bytes: int) -> int:
    """What has to stay free, of so much memory."""
    wanted = min(max(total_bytes * FLOOR_SHARE, FLOOR_LEAST), FLOOR_MOST)
    return int(min(wanted, total_bytes * FLOOR_MOST_SHARE))


def step(pace: Pace, jobs: Sequence[Job], left_bytes: int, total_bytes: int, now_s: float) -> Pace:
    """The pace after one more look."""
    low = floor(total_bytes) + int(_falling(pace, left_bytes, now_s) * AHEAD_S)
    largest = max([pace.largest_bytes, *(job.memory_bytes for job in jobs)])
    running = len(jobs) if pace.allowed is None else min(pace.allowed, len(jobs))
    allowed, changed = pace.allowed, pace.changed_s
    if left_bytes < low and running > 1:
        allowed, changed = running - 1, now_s
    elif allowed is not None and now_s - changed >= SETTLE_S and left_bytes > low + _next_takes(jobs, allowed, largest):
        allowed, changed = (None if allowed >= len(jobs) else allowed + 1), now_s
    return Pace(allowed, changed, now_s, left_bytes, largest)


def _falling(pace: Pace, left_bytes: int, now_s: float) -> float:
    """Bytes that go in a second."""
    if pace.left_bytes is None or now_s <= pace.looked_s:
        return 0.0
    return max(0.0, (pace.left_bytes - left_bytes) / (now_s - pace.looked_s))


def _next_takes(jobs: Sequence[Job], allowed: int, largest: int) -> int:
    """What the first of those that wait may take beyond what it has."""
    has = jobs[allowed].memory_bytes if allowed < len(jobs) else 0
    return max(0, largest - has)


def split(pace: Pace, jobs: Sequence[Job]) -> tuple[Sequence[Job], Sequence[Job]]:
    """Those that may run and those that wait."""
    if pace.allowed is None:
        return jobs, ()
    running = max(1, pace.allowed)
    return jobs[:running], jobs[running:]


def sacrifice(pace: Pace, jobs: Sequence[Job], left_bytes: int, total_bytes: int) -> Job | None:
    """The job to give up before the kernel takes any: the youngest that waits, where one alone still finds no room."""
    _, waiting = split(pace, jobs)
    if not waiting or (pace.allowed or 0) > 1 or left_bytes >= floor(total_bytes) // 2:
        return None
    return waiting[-1]
