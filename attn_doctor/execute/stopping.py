"""Ending what was started: a command leads a session of its own, and all that belongs to it goes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress

from attn_doctor.execute import census


def stop(process: subprocess.Popen[bytes], grace_s: float = 3.0) -> None:
    """End a command and everything that it started: asked first, then ended, and nothing is left when this returns."""
    if os.name != "posix":
        _stop_family(process, grace_s)
        return
    session = process.pid
    try:
        if grace_s:
            found = census.members(session)
            census.send(signal.SIGTERM, found, session)
            census.send(signal.SIGCONT, found, session)  # who is held hears nothing
            _wait_until_gone(process, grace_s)
    finally:
        deadline = time.monotonic() + 5.0
        while (found := _living(process)) and time.monotonic() < deadline:
            census.send(signal.SIGKILL, found, session)
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)


def _wait_until_gone(process: subprocess.Popen[bytes], grace_s: float) -> None:
    deadline = time.monotonic() + grace_s
    while _living(process) and time.monotonic() < deadline:
        time.sleep(0.02)


def _living(process: subprocess.Popen[bytes]) -> list[int]:
    process.poll()  # what has ended is reaped
    return [one.pid for one in census.census(process.pid)]


def _stop_family(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Where there are no sessions: its children and theirs, as long as it lives to name them."""
    import psutil

    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    with suppress(OSError):
        process.terminate()
    psutil.wait_procs(family, timeout=grace_s)
    for one in family:
        with suppress(psutil.Error):
            one.kill()
    with suppress(OSError):
        process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
