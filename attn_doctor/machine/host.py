"""The only door to the machine: every probe asks a Host, so that a machine can be recorded and replayed."""

from __future__ import annotations

import errno
import mmap
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from stat import S_ISDIR, S_ISREG
from typing import IO, TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    import subprocess

    from attn_doctor.machine.binaries.remembered import Memory

READ_LIMIT_BYTES = 4 << 20
# of what a command prints; nvidia-smi and NVML say less than 1 KiB a GPU
OUTPUT_LIMIT_BYTES = 1 << 20


class Completed(msgspec.Struct, frozen=True):
    """A command that ended."""

    returncode: int
    stdout: str
    stderr: str


class Failed(msgspec.Struct, frozen=True):
    """A command that gave no answer: it could not be started, or ran past its time."""

    reason: str
    timed_out: bool = False


class CannotLook(Exception):
    """A question the machine refused to answer (permissions, a broken device); becomes an Unknown reading."""


class Host(Protocol):
    """What a probe may ask. Absence is None or an empty tuple; a refusal raises CannotLook."""

    def system(self) -> tuple[str, str, str]:
        """Operating system (linux, windows, macos), architecture (x86_64, aarch64) and kernel release."""
        ...

    def read_text(self, path: str) -> str | None: ...
    def read_head(self, path: str, size: int) -> str | None:
        """The first `size` bytes, for large files whose answer stands at the top."""
        ...

    def open_binary(self, path: str) -> bytes | mmap.mmap | None:
        """The bytes of a file, mapped rather than read: libraries are large and little of them is looked at."""
        ...

    def remembered(self, path: str) -> bytes | None:
        """What an earlier call found in this very file, which has just been opened; None where nothing is known."""
        ...

    def remember(self, path: str, found: bytes) -> None:
        """Keep it for the next call. It may be lost: nothing may depend on it."""
        ...

    def list_dir(self, path: str) -> tuple[str, ...]: ...
    def is_dir(self, path: str) -> bool: ...
    def is_file(self, path: str) -> bool: ...
    def is_executable(self, path: str) -> bool: ...
    def real_path(self, path: str) -> str: ...
    def env(self, name: str) -> str | None: ...
    def cores(self) -> int: ...
    def demangle(self, symbol: str) -> str | None:
        """A C++ symbol as its author wrote it; None where it is none, or nothing here can say."""
        ...

    def confstr(self, name: str) -> str | None: ...
    def disk(self, path: str) -> tuple[int, int, str] | None:
        """Free bytes, total bytes and mount flags (noexec, ro) of the file system that holds `path`."""
        ...

    def memory(self) -> tuple[int, int] | None:
        """Total and available bytes where there is no /proc/meminfo to read."""
        ...

    def start(self, name: str, command: Sequence[str]) -> None:
        """Begin a command beside everything else; its answer is fetched with `finish(name)`."""
        ...

    def finish(self, name: str, timeout_s: float) -> Completed | Failed: ...


class LiveHost:
    """The machine we run on."""

    def __init__(self) -> None:
        self._listings: dict[str, tuple[str, ...]] = {}
        self._started: dict[str, subprocess.Popen[bytes] | Failed] = {}
        self._finished: dict[str, Completed | Failed] = {}
        self._opened: dict[str, os.stat_result] = {}

    def system(self) -> tuple[str, str, str]:
        if sys.platform == "win32":
            import platform

            machine, release = platform.machine().lower(), platform.release()
            return "windows", "aarch64" if "arm" in machine else "x86_64", release
        uname = os.uname()
        name = "macos" if uname.sysname == "Darwin" else uname.sysname.lower()
        return name, {"arm64": "aarch64", "amd64": "x86_64"}.get(uname.machine, uname.machine), uname.release

    def read_text(self, path: str) -> str | None:
        return self.read_head(path, READ_LIMIT_BYTES)

    def read_head(self, path: str, size: int) -> str | None:
        try:
            with open(path, "rb", opener=_opener) as file:
                return file.read(size).decode("utf-8", "replace")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise CannotLook(f"cannot read {path}: {_reason(error)}") from error

    def open_binary(self, path: str) -> bytes | mmap.mmap | None:
        try:
            with open(path, "rb", opener=_opener) as file:
                self._opened[path] = found = os.fstat(file.fileno())
                if not found.st_size:
                    return b""  # what is empty cannot be mapped
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                if hasattr(mmap, "MADV_RANDOM"):  # what reading ahead brings of a cold library is not looked at
                    mapped.madvise(mmap.MADV_RANDOM)
                return mapped
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise CannotLook(f"cannot read {path}: {_reason(error)}") from error

    @cached_property
    def _memory(self) -> Memory:
        from attn_doctor.machine.binaries.remembered import Memory  # only where a large library was opened

        return Memory()

    def remembered(self, path: str) -> bytes | None:
        opened = self._opened.get(path)
        return self._memory.find(path, opened) if opened else None

    def remember(self, path: str, found: bytes) -> None:
        if opened := self._opened.get(path):
            self._memory.keep(path, opened, found)

    def list_dir(self, path: str) -> tuple[str, ...]:
        if path not in self._listings:
            try:
                self._listings[path] = tuple(sorted(os.listdir(path)))
            except (FileNotFoundError, NotADirectoryError):
                self._listings[path] = ()
            except (OSError, ValueError) as error:
                raise CannotLook(f"cannot list {path}: {_reason(error)}") from error
        return self._listings[path]

    def is_dir(self, path: str) -> bool:
        return os.path.isdir(path)

    def is_file(self, path: str) -> bool:
        return os.path.isfile(path)

    def is_executable(self, path: str) -> bool:
        return os.path.isfile(path) and os.access(path, os.X_OK)

    def real_path(self, path: str) -> str:
        return os.path.realpath(path)

    def env(self, name: str) -> str | None:
        return os.environ.get(name)

    def cores(self) -> int:
        affinity = getattr(os, "sched_getaffinity", None)
        return len(affinity(0)) if affinity else os.cpu_count() or 1

    def demangle(self, symbol: str) -> str | None:
        import ctypes  # only where a symbol is missing

        try:
            library = ctypes.CDLL("libstdc++.so.6")
            read = library["__cxa_demangle"]
            free = ctypes.CDLL(None)["free"]
        except (OSError, AttributeError):
            return None
        read.restype, free.argtypes, free.restype = ctypes.c_void_p, [ctypes.c_void_p], None
        status = ctypes.c_int()
        text = read(symbol.encode("ascii", "replace"), None, None, ctypes.byref(status))
        if not text or status.value:
            return None
        try:
            return ctypes.string_at(text).decode("utf-8", "replace")
        finally:
            free(text)

    def confstr(self, name: str) -> str | None:
        try:
            return os.confstr(name)
        except (AttributeError, OSError, ValueError):
            return None

    def disk(self, path: str) -> tuple[int, int, str] | None:
        statvfs = getattr(os, "statvfs", None)
        try:
            if statvfs is None:
                import shutil

                usage = shutil.disk_usage(path)
                return usage.free, usage.total, ""
            found = statvfs(path)
        except OSError:
            return None
        # ST_RDONLY and ST_NOEXEC of <sys/statvfs.h>; Python names only the first on every platform
        flags = ",".join(name for bit, name in ((1, "ro"), (8, "noexec")) if found.f_flag & bit)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, flags

    def memory(self) -> tuple[int, int] | None:
        import psutil

        found = psutil.virtual_memory()
        return found.total, found.available

    def start(self, name: str, command: Sequence[str]) -> None:
        if name in self._started:  # two probes may ask the same; one answer serves both
            return
        import subprocess  # many a machine is read without a child

        try:
            self._started[name] = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except (OSError, ValueError) as error:
            self._started[name] = Failed(f"{command[0]} could not be started: {_reason(error)}")

    def finish(self, name: str, timeout_s: float) -> Completed | Failed:
        if name not in self._finished:
            child = self._started[name]
            self._finished[name] = child if isinstance(child, Failed) else _wait(child, timeout_s)
        return self._finished[name]


def _opener(path: str, flags: int) -> int:
    """A FIFO holds up whoever opens it, and a device may have no end: neither is a file to read."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if not S_ISREG(mode) and not S_ISDIR(mode):  # of a folder `open` itself complains
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return descriptor


def _wait(child: subprocess.Popen[bytes], timeout_s: float) -> Completed | Failed:
    """Its answer. One that prints without end is stopped, as is one that runs past its time."""
    import subprocess
    from threading import Thread  # subprocess has it already
    from time import monotonic

    ends = monotonic() + timeout_s
    said = bytearray(), bytearray()
    readers = [
        Thread(target=_drain, args=(child, pipe, kept), daemon=True)
        for pipe, kept in zip((child.stdout, child.stderr), said, strict=True)
        if pipe
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(max(0.0, ends - monotonic()))
    late = any(reader.is_alive() for reader in readers)
    try:
        child.wait(max(0.0, ends - monotonic()))
    except subprocess.TimeoutExpired:
        late = True
        child.kill()
        # one that is stuck inside the kernel cannot be waited for, and must not hold us up
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
    if any(len(kept) > OUTPUT_LIMIT_BYTES for kept in said):
        return Failed(f"it prints more than {OUTPUT_LIMIT_BYTES >> 20} MiB")
    if late:
        return Failed(f"no answer within {timeout_s:g} s", timed_out=True)
    out, err = (bytes(kept).decode("utf-8", "replace") for kept in said)
    return Completed(child.returncode, out, err)


def _drain(child: subprocess.Popen[bytes], pipe: IO[bytes], kept: bytearray) -> None:
    with pipe:
        # not through the pipe's own buffer: a thread that waits in it would hold up our exit
        while part := os.read(pipe.fileno(), 1 << 16):
            kept += part
            if len(kept) > OUTPUT_LIMIT_BYTES:
                child.kill()
                return


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def which(host: Host, name: str) -> str | None:
    """The first executable of that name on PATH."""
    windows = host.system()[0] == "windows"
    names = (f"{name}.exe", f"{name}.cmd", f"{name}.bat") if windows else (name,)
    for folder in (host.env("PATH") or "").split(";" if windows else ":"):
        for candidate in names:
            path = join(folder, candidate)
            if folder and host.is_executable(path):
                return path
    return None


def join(*parts: str) -> str:
    """A path of the probed machine; Windows takes forward slashes too."""
    return "/".join(part.rstrip("/") if index < len(parts) - 1 else part for index, part in enumerate(parts))


def run(host: Host, command: Sequence[str], timeout_s: float) -> Completed | Failed:
    """Start a command and wait for it."""
    name = " ".join(command)
    host.start(name, command)
    return host.finish(name, timeout_s)


class RecordingHost:
    """Passes every question on to another host and keeps the answers: `answers` feeds a RecordedHost."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.answers: dict[str, Any] = {}

    def __getattr__(self, method: str) -> Any:
        ask = getattr(self._host, method)

        def recorded(*arguments: Any) -> Any:
            try:
                answer = ask(*arguments)
            except CannotLook as error:  # a refusal is an answer too
                self.answers[_question(method, arguments)] = error
                raise
            self.answers[_question(method, arguments)] = answer
            return answer

        return recorded


class RecordedHost:
    """A machine from a recording; a question it was not recorded for fails."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    def __getattr__(self, method: str) -> Any:
        def answer(*arguments: Any) -> Any:
            question = _question(method, arguments)
            if question not in self._answers:
                raise LookupError(f"not recorded: {question}")
            if isinstance(found := self._answers[question], CannotLook):
                raise found
            return found

        return answer


def _question(method: str, arguments: tuple[Any, ...]) -> str:
    named = arguments[:1] if method in ("start", "finish") else arguments
    return " ".join([method, *map(str, named)])
