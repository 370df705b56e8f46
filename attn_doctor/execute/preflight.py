"""All that can be known to fail is looked at before the first step: then nothing has to be put back."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress

from attn_doctor.execute import inside, scripts
from attn_doctor.execute.change import changes
from attn_doctor.execute.journal import Event
from attn_doctor.execute.kept import PART, Places, drop
from attn_doctor.execute.running import variables, words
from attn_doctor.machine.probes import disk
from attn_doctor.plan.plan import Plan

RUNS_S = 20.0
GET_FLAGS, IMMUTABLE, APPEND_ONLY = 0x80086601, 0x10, 0x20  # <linux/fs.h>: FS_IOC_GETFLAGS, FS_*_FL


def obstacles(plan: Plan, places: Places | None) -> Iterator[str]:
    """Why the plan cannot be carried out now, one sentence each."""
    for step in plan.steps:
        if step.needs_root and os.name == "posix" and os.geteuid() != 0:
            yield f"{step.title}: this step needs root"
    for program in dict.fromkeys(words(step.command)[0] for step in plan.steps):
        if shutil.which(program) is None:
            yield f"{program} is not there, or cannot be run"
    yield from _of_its_ninja(plan)
    if places is not None:
        yield from _of_the_target(places)
        yield from _of_its_disk(plan, places)
    elif any(step.kind == "install" for step in plan.steps):
        yield "nothing of this target can be kept aside, so nothing could be put back: use a virtual environment"


def _of_its_ninja(plan: Plan) -> Iterator[str]:
    """Where it does not run, torch says so in a warning, and compiles all of it again each time."""
    step = next((step for step in plan.steps if step.kind == "build" and plan.build is not None), None)
    if step is None or any("ninja" in one.command for one in plan.steps if one.kind == "install"):
        return
    if _runs(("ninja", "--version"), variables(step.env, os.environ)):
        return
    by_uv = step.command[0] == "uv"
    bring = shlex.join((*step.command[: 5 if by_uv else 3], *(() if by_uv else ("install",)), "ninja"))
    said = "without one nothing is compiled side by side, and nothing that is done is taken up again"
    yield f"the ninja on PATH does not run, and {said}: bring one with {bring}"


def _runs(command: tuple[str, ...], environment: dict[str, str]) -> bool:
    """True too where nobody can tell in time."""
    import subprocess

    quiet = subprocess.DEVNULL
    try:
        return not subprocess.run(
            command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet, timeout=RUNS_S, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return True
    except OSError:
        return False


def _of_the_target(places: Places) -> Iterator[str]:
    parent = os.path.dirname(places.here)
    if not os.path.isdir(places.here):
        yield f"{places.here} is not there"
        return
    yield from _of_its_mounts(places)
    if refused := _refusal(places.here):
        yield f"{places.here} cannot be written to: {refused}"
    if not inside.holds(places) and (refused := _refusal(parent)):
        yield f"{parent} cannot be written to ({refused}), and the copy from before is kept there"
    place = scripts.beside(places.here)
    if place and (refused := _refusal(place)):
        yield f"{place} cannot be written to: {refused}"
    if os.path.lexists(places.aside) and not (inside.holds(places) and inside.is_empty(places.aside)):
        yield f"{places.aside} is in the way: remove it, or put it elsewhere"


def _of_its_mounts(places: Places) -> Iterator[str]:
    mounted = _mounted()
    if (places.here in mounted or os.path.ismount(places.here)) and not inside.holds(places):
        yield f"{places.here} is a file system of its own: it cannot be kept beside itself"
    for one in sorted(mounted):
        if one.startswith(places.here + os.sep):
            yield f"{one} is a file system of its own: it cannot be kept with {places.here}"


def _mounted() -> set[str]:
    with suppress(OSError), open(disk.MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
        return disk.parse_mounts(file.read())
    return set()


def _refusal(folder: str) -> str | None:
    """Looked at without leaving a trace: who is killed on the way has written nothing."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return "no permission, or a read-only file system"
    return "it is immutable (lsattr -d shows it)" if _is_immutable(folder) else None


def _is_immutable(folder: str) -> bool:
    if sys.platform != "linux":
        return False
    import fcntl

    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            flags = fcntl.ioctl(descriptor, GET_FLAGS, bytes(8))
        finally:
            os.close(descriptor)
        return bool(int.from_bytes(flags[:4], sys.byteorder) & (IMMUTABLE | APPEND_ONLY))
    return False


def _of_its_disk(plan: Plan, places: Places) -> Iterator[str]:
    """A wheel is never smaller unpacked than it comes down."""
    with suppress(OSError):
        free = shutil.disk_usage(places.here).free
        if plan.cost.download_bytes and plan.cost.download_bytes > free:
            yield (
                f"{places.here} has {free / 1e6:.0f} MB free, and what is downloaded takes "
                f"{plan.cost.download_bytes / 1e6:.0f} MB: make room there first"
            )


def make_way(places: Places) -> str | None:
    """Free the place of the copy: an earlier change's copy gets another name; what is in the way and not ours is said.

    The half of a copy that an interrupted change left goes: nothing but the target itself is in it.
    """
    if os.path.lexists(places.there + PART) and (left := drop(places.there + PART)):
        return f"{left} is in the way and cannot be removed"
    if not os.path.lexists(places.there):
        return None
    owner = next((one for one in changes() if places.there in one.remains), None)
    if owner is None:
        return f"{places.there} is in the way, the copy of a script's run: remove it, or put it back, first"
    elsewhere = f"{places.there}-{owner.id}"
    if os.path.lexists(elsewhere):
        return f"{elsewhere} is in the way: remove it, or put it elsewhere"
    owner.journal.write(Event("moving", here=places.there, there=elsewhere))
    os.rename(places.there, elsewhere)
    owner.journal.write(Event("moved", there=elsewhere))
    return None
