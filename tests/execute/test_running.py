"""Processes that outlive a kill, a lock that does not, signals that are heard when they may be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from attn_doctor.errors import TargetBusy
from attn_doctor.execute import running, stopping
from attn_doctor.execute.interrupts import Interrupts
from attn_doctor.execute.lock import locked
from attn_doctor.plan.plan import Step

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and sessions")
# starts a session of its own, ignores a polite end, and starts others for as long as it lives
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1] + str(os.getpid()), "w").close()
while True:
    subprocess.Popen(["sleep", "60"], start_new_session=True)
    time.sleep(0.05)
"""
HOLD = """
import sys, time
from attn_doctor.execute.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def marked(mark: str) -> list[int]:
    return [one.pid for one in running._marked(mark)]


def test_what_a_kill_left_running_is_ended_with_all_that_it_starts(tmp_path: Path) -> None:
    mark = str(tmp_path / "changes" / "0001")
    environment = {**os.environ, running.MARK: mark}
    command = [sys.executable, "-c", STUBBORN, str(tmp_path / "pid")]
    with subprocess.Popen(command, env=environment, start_new_session=True):
        while not list(tmp_path.glob("pid*")) or len(marked(mark)) < 3:
            time.sleep(0.02)
        with subprocess.Popen(["sleep", "60"], env={**os.environ, running.MARK: mark + "0"}) as other:
            assert running.stop_left_over(mark) == []
            assert marked(mark) == []
            assert other.poll() is None, "another change's processes are none of ours"
            other.kill()


def test_a_step_is_stopped_with_all_that_it_started(tmp_path: Path) -> None:
    mark = str(tmp_path / "0002")
    step = Step(id="x", title="x", kind="install", command=(sys.executable, "-c", STUBBORN, str(tmp_path / "pid")))
    process = running.start(step, {**os.environ, running.MARK: mark})
    while len(marked(mark)) < 3:
        time.sleep(0.02)
    running.GRACE_S, grace = 0.2, running.GRACE_S
    try:
        stopping.stop(process)
    finally:
        running.GRACE_S = grace
        assert process.stdout is not None
        process.stdout.close()
    running.stop_left_over(mark)
    assert marked(mark) == []


def test_a_lock_goes_with_the_process_that_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    target = tmp_path / "env"
    target.mkdir()
    with subprocess.Popen([sys.executable, "-c", HOLD, str(target)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TargetBusy, match=f"process {holder.pid}"), locked(str(target)):
            pass
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another state"))
        with pytest.raises(TargetBusy), locked(str(target)):
            pass
        with locked(str(tmp_path)):
            pass
        holder.kill()
    with locked(str(target)):
        pass
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with locked(str(target)):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_heard_where_they_are_allowed(number: int) -> None:
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), number)  # here it waits
        with pytest.raises(KeyboardInterrupt), interrupts.allowed():
            pass
        os.kill(os.getpid(), number)
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        sent_while_allowed(interrupts, number)
    assert signal.getsignal(number) is before


def sent_while_allowed(interrupts: Interrupts, number: int) -> None:
    with interrupts.allowed():
        os.kill(os.getpid(), number)
        time.sleep(5)


def test_a_server_that_a_step_leaves_behind_does_not_hold_it_up() -> None:
    said: list[bytes] = []
    code = "import subprocess; subprocess.Popen(['sleep', '30']); print('started')"
    step = Step(id="x", title="x", kind="install", command=(sys.executable, "-c", code))
    began = time.monotonic()
    running.run(step, said.append, {**os.environ, running.MARK: "a server"})
    assert b"".join(said) == b"started\n"
    assert time.monotonic() - began < 25
    assert running.stop_left_over("a server") == []


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts, interrupts.allowed():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
