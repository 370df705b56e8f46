"""One step is one command: run as it stands, without a shell, its output kept, and nothing left running behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from attn_doctor.execute.stopping import stop
from attn_doctor.plan.plan import Step

if TYPE_CHECKING:
    import psutil

CHUNK_BYTES = 1 << 16
GRACE_S = 5.0  # for what a killed change left running to be gone
POLL_S, QUIET_MS = 0.02, 200
OURSELVES = "attn-doctor"
MARK = "ATTN_DOCTOR_CHANGE"  # every process of a change carries its folder, so that none outlives a kill of ours

Listen = Callable[[bytes], None]


class StepFailed(Exception):
    """A command that ended badly, or could not be started."""


def run(step: Step, listen: Listen, environment: Mapping[str, str] | None = None) -> None:
    """Run a step. `listen` gets what it prints; the file that the step names takes its standard output instead.

    Raises StepFailed; what was started is stopped on the way out of any exception, Ctrl-C above all.
    """
    process = start(step, os.environ if environment is None else environment)
    try:
        _read(process, listen)
        code = process.wait()
    except BaseException:
        stop(process)
        raise
    finally:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    if code:
        raise StepFailed(how_ended(code))


def how_ended(code: int) -> str:
    """'exit code 1', 'ended by SIGKILL'."""
    return f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"


def start(step: Step, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start its command in a process group of its own, so that all of it can be stopped. Raises StepFailed."""
    output = _output(step)
    try:
        return subprocess.Popen(
            words(step.command),
            env=variables(step.env, environment),
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.PIPE if output else subprocess.STDOUT,
            start_new_session=os.name == "posix",
        )
    except OSError as error:
        raise StepFailed(f"cannot start {step.command[0]}: {error.strerror}") from error
    finally:
        if output:
            os.close(output)


def _output(step: Step) -> int | None:
    if step.output is None:
        return None
    try:
        os.makedirs(os.path.dirname(step.output) or ".", exist_ok=True)
        return os.open(step.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except OSError as error:
        raise StepFailed(f"cannot write {step.output}: {error.strerror}") from error


def words(command: Sequence[str]) -> list[str]:
    """The command; attn-doctor is this very program, wherever PATH leads."""
    if command[0] == OURSELVES:
        return [sys.executable, "-m", "attn_doctor", *command[1:]]
    return list(command)


def variables(own: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The variables there are and those of the step; a PATH of its own goes in front."""
    found = {**environment, **own}
    if "PATH" in own and environment.get("PATH"):
        found["PATH"] = os.pathsep.join((own["PATH"], environment["PATH"]))
    return found


def _read(process: subprocess.Popen[bytes], listen: Listen) -> None:
    stream = process.stdout or process.stderr
    if stream is None:
        return
    descriptor = stream.fileno()
    while True:
        if not _says_something(descriptor):
            if process.poll() is not None:
                return  # a server that it left behind (a compiler's cache) holds the other end open
        elif data := os.read(descriptor, CHUNK_BYTES):
            listen(data)
        else:
            return


def _says_something(descriptor: int) -> bool:
    """Waited for a moment; what Windows waits with takes no pipes, so there a read waits."""
    if os.name != "posix":
        return True
    import select

    poll = select.poll()  # select() itself knows no descriptor above 1023
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(QUIET_MS))


def stop_left_over(mark: str) -> list[int]:
    """End what a change that was killed left running; what cannot be ended within some seconds is answered.

    Looked for again until none is found: one that is being ended may just have started another.
    """
    import psutil

    ends = time.monotonic() + GRACE_S
    while left := list(_marked(mark)):
        for one in left:
            with suppress(psutil.Error):
                one.kill()
        if time.monotonic() > ends:
            return [one.pid for one in left]
        time.sleep(POLL_S)
    return []


def _marked(mark: str) -> Iterator[psutil.Process]:
    import psutil

    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if one.pid != os.getpid() and one.environ().get(MARK) == mark and one.status() != psutil.STATUS_ZOMBIE:
                yield one
