"""The step that compiles, supervised: called like any other step, and it tells how far it is."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping

from msgspec.structs import replace

from attn_doctor.execute import running
from attn_doctor.execute.running import Listen, StepFailed
from attn_doctor.execute.supervise import kept_wheel
from attn_doctor.execute.supervise import room as memory
from attn_doctor.execute.supervise.attempt import Attempt, End, Look, Tell
from attn_doctor.execute.supervise.progress import Progress
from attn_doctor.plan.plan import Step

JOBS = "MAX_JOBS"
MOST_ATTEMPTS = 6
SIGKILL = 9
# how the death of a compiler shows in what is printed: nvcc, gcc, clang, a shell, ninja 1.13, cargo
KILLED = re.compile(
    rb"died due to signal 9|Killed signal terminated program|^\s*(?:\S+: line \d+: +\d+ )?Killed\b"
    rb"|virtual memory exhausted|out of memory allocating|std::bad_alloc|LLVM ERROR: out of memory"
    rb"|code=137\b|exit (?:code|status):? 137\b|signal: 9\b",
    re.MULTILINE,
)


def run(
    step: Step,
    listen: Listen,
    environment: Mapping[str, str] | None = None,
    tell: Tell = lambda _: None,
    look: Look = memory.look,
) -> None:
    """Run the build. Where it is killed for memory it goes on with fewer jobs; a wheel that is kept is taken as it is.

    Raises StepFailed. What was started is stopped on the way out of any exception, Ctrl-C above all.
    """
    if os.name != "posix":
        running.run(step, listen, environment)
        return
    places = kept_wheel.places(step)
    if found := kept_wheel.find(places.wheels):
        _say(f"compiled before: {found} is used again", Progress(), listen, tell)
        kept_wheel.drop_objects(places.build)
        return
    kept_wheel.make_way(places.wheels)
    _attempts(step, listen, os.environ if environment is None else environment, tell, look)
    kept_wheel.keep(places.wheels)
    if kept_wheel.find(places.wheels):
        kept_wheel.drop_objects(places.build)


def _attempts(step: Step, listen: Listen, environment: Mapping[str, str], tell: Tell, look: Look) -> None:
    jobs, started = _jobs(step, environment), time.monotonic()
    for number in range(1, MOST_ATTEMPTS + 1):
        before = Progress(jobs=jobs, elapsed_s=time.monotonic() - started)
        with_jobs = replace(step, env={**step.env, JOBS: str(jobs)})
        process = running.start(with_jobs, environment)
        end = Attempt(process, listen, tell, look, kept_wheel.places(step).build).follow(before)
        if end.code == 0:
            return
        if not for_memory(end):
            raise StepFailed(running.how_ended(end.code))
        if jobs == 1 or number == MOST_ATTEMPTS:
            raise StepFailed(f"memory ran out with {jobs} compile job{'s' if jobs > 1 else ''}")
        jobs = max(1, jobs // 2)
        again = f"memory ran out: going on from where it was, with {jobs} compile job{'s' if jobs > 1 else ''}"
        _say(again, replace(before, jobs=jobs, elapsed_s=time.monotonic() - started), listen, tell)


def for_memory(end: End) -> bool:
    """Whether it was a lack of memory that ended it."""
    return end.code == -SIGKILL or end.kills > 0 or end.given_up > 0 or KILLED.search(end.tail) is not None


def _jobs(step: Step, environment: Mapping[str, str]) -> int:
    wanted = step.env.get(JOBS) or environment.get(JOBS) or ""
    return max(1, int(wanted)) if wanted.isascii() and wanted.isdigit() else os.cpu_count() or 1


def _say(note: str, now: Progress, listen: Listen, tell: Tell) -> None:
    listen(f"attn-doctor: {note}\n".encode())
    tell(replace(now, note=note))
