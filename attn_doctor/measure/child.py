"""A script in the target's interpreter that answers one line for each line, under a time limit.

A kernel that crashes, hangs or takes all memory ends the child, and with it one answer: the next one gets a new child.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any

import msgspec

from attn_doctor.errors import NoAnswer

FOLDER = os.path.join(os.path.dirname(__file__), "children")
MEMORY = "ATTN_DOCTOR_MEMORY_BYTES"  # read by the children: what one may take, on a CPU
START_S = 180.0  # importing torch from a cold disk
SAID_BYTES = 4096
GRACE_S = 2.0
LOOK_EVERY_S = 0.5  # for Ctrl-C, which does not end a wait on Windows


class Ended(msgspec.Struct, frozen=True):
    """Instead of an answer: how the child ended."""

    status: str  # crashed, hung
    reason: str


class Child:
    """`ask` starts the script where it does not run; `close` ends it."""

    def __init__(self, python: str, script: str, environment: dict[str, str] | None = None) -> None:
        self._command = [python, "-u", os.path.join(FOLDER, script)]
        self._environment = {**os.environ, **(environment or {}), "PYTHONDONTWRITEBYTECODE": "1"}
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._said = Said()
        self.hello: dict[str, Any] = {}
        """What it said of itself when it started."""

    def start(self) -> None:
        """Raises NoAnswer where the script does not come up: torch cannot be imported."""
        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            start_new_session=os.name == "posix",
        )
        self._process, self._lines, self._said = process, SimpleQueue(), Said()
        Thread(target=_lines, args=(process.stdout, self._lines), daemon=True).start()
        self._said.listen(process.stderr)
        found = self._answer(START_S)
        if isinstance(found, Ended):
            raise NoAnswer(found.reason)
        self.hello = found

    def ask(self, question: dict[str, Any], timeout_s: float) -> dict[str, Any] | Ended:
        """The answer to one question. Raises NoAnswer where no child can be started."""
        if self._process is None or self._process.poll() is not None:
            self.start()
        process = self._process
        if process is None or process.stdin is None:
            raise NoAnswer("it did not start")
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
        except OSError:
            return self._ended("crashed")
        return self._answer(timeout_s)

    def _answer(self, timeout_s: float) -> dict[str, Any] | Ended:
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            with suppress(Empty):
                line = self._lines.get(timeout=min(left, LOOK_EVERY_S))
                found: dict[str, Any] | Ended = json.loads(line) if line.endswith(b"\n") else self._ended("crashed")
                return found
        return self._ended("hung", f"no answer in {timeout_s:g} s")

    def _ended(self, status: str, reason: str = "") -> Ended:
        process, said = self._process, self._said
        self._stop(GRACE_S if status == "crashed" else 0.0)
        code = process.returncode if process else None
        if not reason and code is not None and code < 0:
            with suppress(ValueError):
                reason = f"ended by {signal.Signals(-code).name}"
        return Ended(status, reason or said.last_line() or f"exit code {code}")

    def close(self) -> None:
        """End the script and everything it started."""
        self._stop(GRACE_S)

    def _stop(self, grace_s: float) -> None:
        """The pipes are closed by who reads them: another process may still hold their other ends."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            if process.stdin:
                process.stdin.close()
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()
            process.wait()


class Said:
    """The end of what a process prints beside its answers: read, or a full pipe would stop it."""

    def __init__(self) -> None:
        self._end = b""
        self._thread: Thread | None = None

    def listen(self, stream: IO[bytes] | None) -> None:
        """Until it ends."""
        self._thread = Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: IO[bytes]) -> None:
        with suppress(OSError), stream:
            while data := os.read(stream.fileno(), 1 << 16):
                self._end = (self._end + data)[-SAID_BYTES:]

    def last_line(self) -> str:
        """Once the process has ended."""
        if self._thread:
            self._thread.join(GRACE_S)
        return self._end.decode("utf-8", "replace").strip().rpartition("\n")[2]


def _lines(stream: IO[bytes], found: SimpleQueue[bytes]) -> None:
    """Each as it comes, then one that is empty."""
    with suppress(OSError), stream:
        for line in stream:
            found.put(line)
    found.put(b"")
