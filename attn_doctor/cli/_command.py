"""A command that is run with its output passed on untouched, and listened to on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock, Thread

from attn_doctor.errors import BadInput

CHUNK_BYTES = 1 << 16
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as shells say it
BY_SIGNAL = 128


def run(command: Sequence[str], listen: Callable[[bytes], None]) -> int:
    """Run a command; its exit code, 128 and the signal where one ended it.

    What it prints goes where it would have gone, byte for byte. On a terminal it keeps one, so that it prints as ever.
    """
    if _on_a_terminal():
        return _in_a_terminal(command, listen)
    process = _started(command, subprocess.PIPE, subprocess.PIPE)
    lock = Lock()
    streams = ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
    threads = [
        Thread(target=_pass_on, args=(source.fileno(), target.fileno(), listen, lock), daemon=True)
        for source, target in streams
        if source is not None
    ]
    for thread in threads:
        thread.start()
    code = _waited(process)
    for thread in threads:
        thread.join()
    return code


def _on_a_terminal() -> bool:
    return os.name == "posix" and sys.stdout.isatty() and sys.stderr.isatty()


def _in_a_terminal(command: Sequence[str], listen: Callable[[bytes], None]) -> int:
    """One terminal for both streams, as wide as ours; the keyboard stays where it is."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    with suppress(OSError, termios.error):
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8)))
    settings = termios.tcgetattr(theirs)
    settings[1] &= ~termios.OPOST  # ours ends the lines
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    process = _started(command, theirs, theirs)
    os.close(theirs)
    thread = Thread(target=_pass_on, args=(ours, sys.stdout.fileno(), listen, Lock()), daemon=True)
    thread.start()
    code = _waited(process)
    thread.join()
    os.close(ours)
    return code


def _started(command: Sequence[str], out: int, err: int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdout=out, stderr=err)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        said = "there is no such command" if missing else f"{error.strerror}"
        failed = BadInput(f"cannot run {command[0]}: {said}")
        failed.exit_code = NOT_FOUND if missing else NOT_EXECUTABLE
        raise failed from error


def _pass_on(source: int, target: int, listen: Callable[[bytes], None], lock: Lock) -> None:
    """Until the other end is closed; on Linux a terminal whose last user is gone reads as an error."""
    written = True
    while True:
        try:
            data = os.read(source, CHUNK_BYTES)
        except OSError:
            return
        if not data:
            return
        with lock:
            listen(data)
        if written:
            written = _write(target, data)


def _write(target: int, data: bytes) -> bool:
    """False where nobody reads any more (`| head`): the command is read to its end all the same."""
    with suppress(OSError):
        while data:
            data = data[os.write(target, data) :]
        return True
    return False


def _waited(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reaches the command as it reaches us: how it ends is for it to say."""
    while True:
        with suppress(KeyboardInterrupt):
            code = process.wait()
            return code if code >= 0 else BY_SIGNAL - code
