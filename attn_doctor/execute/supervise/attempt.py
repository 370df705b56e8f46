"""One run of the build's command: listened to, looked after twice a second, and stopped with all that it started."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from attn_doctor.execute import census
from attn_doctor.execute.census import Job
from attn_doctor.execute.running import CHUNK_BYTES, Listen
from attn_doctor.execute.stopping import stop
from attn_doctor.execute.supervise import holding, objects
from attn_doctor.execute.supervise.progress import Progress, remaining_s
from attn_doctor.execute.supervise.room import Room

PERIOD_S = 0.5
SEARCH_S = 5.0  # how often new folders of objects are looked for
TAIL_BYTES = 1 << 16
# the kernel looks here first when memory runs out: rather at a compiler than at what else the user runs
OOM_SCORE = b"500"

Tell = Callable[[Progress], None]
Look = Callable[[int], Room | None]


class End(msgspec.Struct, frozen=True):
    """How it ended."""

    code: int
    tail: bytes
    """The last that it printed."""
    kills: int = 0
    """How many processes of its group the kernel ended for memory meanwhile."""
    given_up: int = 0
    """How many jobs were ended here so that the others could go on."""


class Attempt:
    """Follows one process to its end."""

    def __init__(
        self, process: subprocess.Popen[bytes], listen: Listen, tell: Tell, look: Look, build: str | None
    ) -> None:
        self._process, self._listen, self._tell, self._look = process, listen, tell, look
        self._build = build
        self._started = self._searched = time.monotonic()
        self._folders: tuple[str, ...] = objects.folders(build) if build else ()
        self._at_start: int | None = None
        self._printed: objects.Count | None = None
        self._tail = b""
        self._pace = holding.Pace()
        self._held: tuple[int, ...] = ()
        self._room: Room | None = None
        self._kills = 0
        self._given_up = 0
        self._before = Progress()

    def follow(self, before: Progress) -> End:
        """Until it ends. `before` holds the time and the jobs of the build so far."""
        self._before = before
        try:
            with suppress(OSError), open(f"/proc/{self._process.pid}/oom_score_adj", "wb") as file:
                file.write(OOM_SCORE)
            code = self._until_the_end()
        except BaseException:
            stop(self._process)
            raise
        finally:
            if self._process.stdout:
                self._process.stdout.close()
        stop(self._process, grace_s=0.0)
        return End(code, self._tail, self._kills, self._given_up)

    def _until_the_end(self) -> int:
        stream = self._process.stdout
        if stream is None:
            return self._process.wait()
        descriptor = stream.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        due = 0.0
        while True:
            now = time.monotonic()
            if now >= due:
                self._look_after(now)
                due = time.monotonic() + PERIOD_S
            if poll.poll(max(0.0, due - time.monotonic()) * 1000):
                data = os.read(descriptor, CHUNK_BYTES)
                if not data:
                    return self._wait()
                self._hear(data)
            elif self._process.poll() is not None:  # what it left behind may hold its output open for ever
                self._look_after(time.monotonic())
                return self._process.returncode

    def _wait(self) -> int:
        """Its output is closed; it may still be at work."""
        while True:
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(PERIOD_S)
                self._look_after(time.monotonic())
                return code
            self._look_after(time.monotonic())

    def _hear(self, data: bytes) -> None:
        self._listen(data)
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        self._printed = objects.status(data) or self._printed

    def _look_after(self, now: float) -> None:
        found = census.census(self._process.pid)
        jobs = census.jobs(found)
        # of who has ended nothing says where it ran: mostly that is where this process runs
        room = self._look(self._process.pid if found else os.getpid())
        if room is not None:
            self._count_kills(room)
            self._make_room(jobs, room, now)
        elapsed = now - self._started
        done, total = self._count(now)
        if self._at_start is None:
            self._at_start = done or 0  # where nothing is to be seen yet, nothing is done
        self._tell(
            Progress(
                done=done,
                total=total,
                elapsed_s=self._before.elapsed_s + elapsed,
                remaining_s=None if done is None else remaining_s(done, self._at_start or 0, total, elapsed),
                memory_bytes=sum(one.memory_bytes for one in found),
                room_bytes=room.left_bytes if room else None,
                jobs=self._before.jobs,
                held=len(holding.split(self._pace, jobs)[1]),
            )
        )

    def _count(self, now: float) -> tuple[int | None, int | None]:
        if self._build is not None and (not self._folders or now - self._searched >= SEARCH_S):
            self._searched = now
            self._folders = objects.folders(self._build)
        counted = objects.count(self._folders) or self._printed
        if counted is not None:
            return counted.done, counted.total
        return (objects.loose(self._build) or None if self._build else None), None

    def _count_kills(self, room: Room) -> None:
        """Another group's counter says nothing of this build."""
        if self._room is not None and self._room.group == room.group:
            self._kills += max(0, room.kills - self._room.kills)
        self._room = room

    def _make_room(self, jobs: tuple[Job, ...], room: Room, now: float) -> None:
        """Hold jobs back, let them go on, or give one up."""
        session = self._process.pid
        self._pace = holding.step(self._pace, jobs, room.left_bytes, room.total_bytes, now)
        running, waiting = holding.split(self._pace, jobs)
        waits = {pid for job in waiting for pid in job.pids}
        held = set(self._held)
        census.send(signal.SIGCONT, [pid for job in running for pid in job.pids if pid in held], session)
        # what a held job started meanwhile is stopped as well; stopping twice does no harm
        census.send(signal.SIGSTOP, sorted(waits), session)
        self._held = tuple(sorted(waits))
        if victim := holding.sacrifice(self._pace, jobs, room.left_bytes, room.total_bytes):
            self._given_up += 1
            census.send(signal.SIGKILL, victim.pids, session)
