"""How far a build is, and how that is said in a line."""

from __future__ import annotations

import msgspec

MINUTE_S, HOUR_S = 60, 3600
MIB, GIB = 1 << 20, 1 << 30
BAR = 24


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A build at one moment. `done` and `total` count objects; None: not known."""

    done: int | None = None
    total: int | None = None
    elapsed_s: float = 0.0
    remaining_s: float | None = None
    memory_bytes: int = 0
    """Of everything that the build started."""
    room_bytes: int | None = None
    """What may still be taken before the kernel ends processes."""
    jobs: int = 1
    held: int = 0
    """Jobs that wait for memory."""
    note: str | None = None
    """Something that happened just now, as a sentence."""


def line(now: Progress) -> str:
    """'31 of 73 objects, 12 min so far, about 16 min to go, 9.1 GiB of memory'."""
    return ", ".join(
        (
            _objects(now),
            f"{duration(now.elapsed_s)} so far",
            *([f"about {duration(now.remaining_s)} to go"] if now.remaining_s is not None else []),
            *([f"{size(now.memory_bytes)} of memory"] if now.memory_bytes else []),
            *([f"{now.held} of {now.jobs} jobs held back for memory"] if now.held else []),
        )
    )


def bar(now: Progress) -> str:
    """'[########------------]', as long as what is done of all; empty where that is not known."""
    if now.done is None or not now.total:
        return ""
    full = BAR * min(now.done, now.total) // now.total
    return f"[{'#' * full}{'-' * (BAR - full)}]"


def _objects(now: Progress) -> str:
    if now.done is None:
        return "no object compiled yet"
    return f"{now.done} of {now.total} objects" if now.total else f"{now.done} objects"


def duration(seconds: float) -> str:
    """'40 s', '12 min', '2 h 05 min'."""
    whole = int(seconds)
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min"
    return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S:02} min"


def size(count: int) -> str:
    """'9.1 GiB', '640 MiB'."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{max(1, count // MIB)} MiB"


def remaining_s(done: int, at_start: int, total: int | None, elapsed_s: float) -> float | None:
    """By the pace of this attempt; None until an object is done."""
    if total is None or done <= at_start:
        return None
    return max(0, total - done) * elapsed_s / (done - at_start)
