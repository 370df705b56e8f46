"""A script in the target's interpreter that answers one line for each line, under a time limit.

A kernel that crashes, hangs or takes all memory ends the child, and with it one answer: the next one gets a new child.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from contextlib import suppress
from typing import Any

import msgspec

from attn_doctor.errors import NoAnswer

FOLDER = os.path.join(os.path.dirname(__file__), "children")
START_S = 180.0  # importing torch from a cold disk
SAID_BYTES = 4096
GRACE_S = 2.0


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
        self._rest = b""
        self.hello: dict[str, Any] = {}
        """What it said of itself when it started."""

    def start(self) -> None:
        """Raises NoAnswer where the script does not come up: torch cannot be imported."""
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            start_new_session=os.name == "posix",
        )
        os.set_blocking(self._process.stderr.fileno(), False)  # type: ignore[union-attr]
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
        process = self._process
        if process is None or process.stdout is None:
            raise NoAnswer("it did not start")
        until, descriptor = time.monotonic() + timeout_s, process.stdout.fileno()
        while b"\n" not in self._rest:
            self._drain()
            left = until - time.monotonic()
            if left <= 0:
                return self._ended("hung", f"no answer in {timeout_s:g} s")
            if select.select([descriptor], [], [], min(left, 1.0))[0]:
                data = os.read(descriptor, 1 << 16)
                if not data:
                    return self._ended("crashed")
                self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def _drain(self) -> bytes:
        """What it prints beside: read, or a full pipe would stop it."""
        said = b""
        process = self._process
        with suppress(OSError):
            while process and process.stderr and (data := os.read(process.stderr.fileno(), 1 << 16)):
                said = (said + data)[-SAID_BYTES:]
        self._said = (getattr(self, "_said", b"") + said)[-SAID_BYTES:]
        return self._said

    def _ended(self, status: str, reason: str = "") -> Ended:
        process = self._process
        self._stop()
        said = self._drain().decode("utf-8", "replace").strip()
        self._release()
        code = process.returncode if process else None
        if not reason and code is not None and code < 0:
            with suppress(ValueError):
                reason = f"ended by {signal.Signals(-code).name}"
        if not reason:
            reason = said.rpartition("\n")[2] or f"exit code {code}"
        self._rest, self._said = b"", b""
        return Ended(status, reason)

    def close(self) -> None:
        """End the script and everything it started."""
        self._stop()
        self._release()

    def _release(self) -> None:
        process, self._process = self._process, None
        for stream in (process.stdin, process.stdout, process.stderr) if process else ():
            with suppress(OSError):
                if stream:
                    stream.close()

    def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        with suppress(OSError):
            if process.stdin:
                process.stdin.close()
        try:
            process.wait(GRACE_S if process.poll() is None and not self._rest else 0.1)
        except subprocess.TimeoutExpired:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()
            process.wait()
