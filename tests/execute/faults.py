"""Ends attn-doctor where nobody expects it: at a moment, or before the Nth act on the file system."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from execute.workshop import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from execute.workshop import Workshop

# acts that change something below a folder; the process ends itself, as by kill -9, before the one with this number
BEFORE_AN_ACT = """
import os, signal, sys
number, folder, *arguments = sys.argv[1:]
left = int(number)
def hear(event, given):
    global left
    acts = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod")
    if event == "open":
        acts = len(given) > 2 and isinstance(given[2], int) and bool(given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if acts and not isinstance(given[0], int) and folder in os.fsdecode(given[0]):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hear)
from attn_doctor.cli import main
main(arguments)
"""
PATIENCE_S = 60


class Ended(msgspec.Struct, frozen=True):
    """What came of one fault: whether the process was hit, and how the target was afterwards."""

    hit: bool
    equal: bool
    put_back_s: float
    code: int
    left_running: int = 0
    said: str = ""


def hit(workshop: Workshop, command: list[str], after_s: float, how: str) -> bool:
    """Start a command and end it after some time: `kill` ends it alone, `interrupt` is Ctrl-C on its terminal."""
    process = subprocess.Popen(
        command,
        env=workshop.environment,
        cwd=workshop.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        if how == "kill":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(PATIENCE_S)
        return True
    return False


def before_act(workshop: Workshop, number: int, *arguments: object) -> bool:
    """Whether the command was ended before its act of that number; False where it has fewer."""
    command = [sys.executable, "-c", BEFORE_AN_ACT, str(number), str(workshop.folder)]
    done = subprocess.run(
        [*command, *map(str, arguments), "--venv", str(workshop.target)],
        env=workshop.environment,
        cwd=workshop.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode == -signal.SIGKILL


def put_back(workshop: Workshop, before: dict[str, str], was_hit: bool, by: str = "rollback") -> Ended:
    """The next call of attn-doctor, and whether everything is then as it was."""
    left = len(running(str(workshop.state)))
    began = time.monotonic()
    ran = workshop.call("rollback", "--yes") if by == "rollback" else workshop.install("--dry-run")
    took = time.monotonic() - began
    equal = workshop.fingerprint() == before and not running(str(workshop.state))
    return Ended(was_hit, equal, took, ran.code, left, ran.err)


class Moment:
    """The target, what lies beside it and the state, kept as they are, to begin from again and again."""

    def __init__(self, workshop: Workshop, name: str) -> None:
        self.workshop = workshop
        self.kept: Path = workshop.folder / name
        self.kept.mkdir()
        for path in self._all():
            subprocess.run(["cp", "-a", path, self.kept / path.name], check=True)

    def _all(self) -> list[Path]:
        target, home = self.workshop.target, self.workshop.home
        beside = [path for path in target.parent.iterdir() if path.name.startswith(target.name)]
        return [*beside, *([home / "state"] if (home / "state").exists() else [])]

    def again(self) -> None:
        """As it was then."""
        for path in self._all():
            shutil.rmtree(path)
        for path in self.kept.iterdir():
            to = self.workshop.home if path.name == "state" else self.workshop.target.parent
            subprocess.run(["cp", "-a", path, to / path.name], check=True)


@contextmanager
def small_disk(folder: Path, room_bytes: int) -> Iterator[bool]:
    """A folder on a file system with so much room and no more; False where none can be mounted."""
    folder.mkdir(exist_ok=True)
    aside = Path(tempfile.mkdtemp())
    subprocess.run(["cp", "-a", f"{folder}/.", aside], check=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False).returncode == 0
    try:
        if done:
            subprocess.run(["cp", "-a", f"{aside}/.", folder], check=True)
            used = shutil.disk_usage(folder).used
            subprocess.run(["mount", "-o", f"remount,size={used + room_bytes}", folder], check=True)
        yield done
    finally:
        if done:
            subprocess.run(["umount", folder], check=True)
        shutil.rmtree(aside)


@contextmanager
def immutable(path: Path) -> Iterator[bool]:
    """A file that not even root may change; False where the file system knows no such thing."""
    done = subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode == 0
    try:
        yield done
    finally:
        if done:
            subprocess.run(["chattr", "-i", path], check=True)


def two_at_once(workshop: Workshop) -> list[int]:
    """Exit codes of two installs that are started together."""
    command = workshop.command("install", "triton", "--yes")
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    both = [subprocess.Popen(command, env=workshop.environment, cwd=workshop.folder, **quiet) for _ in range(2)]
    return [process.wait(PATIENCE_S) for process in both]


def from_the_future(workshop: Workshop) -> None:
    """Every journal as it would be had the clock been a century ahead."""
    from zlib import crc32

    for journal in (workshop.state / "changes").glob("*/journal"):
        lines = [json.loads(line[9:]) for line in journal.read_bytes().splitlines()]
        texts = [json.dumps(line | {"at": "2126-01-01T00:00:00Z"}).encode() for line in lines]
        journal.write_bytes(b"".join(b"%08x %s\n" % (crc32(text), text) for text in texts))
