"""An answer, the questions to the machine that led to it, and whether they would be answered the same today.

What a process found out about itself is good for the next one as long as every file, folder and variable that was
looked at is as it was. That is seen from their times and sizes, in a fraction of what finding out costs: the next
process imports neither the probes nor what judges them. docs/adr/0010-a-remembered-resolution.md.

Best effort, and silent, as every cache is: whatever stands in the way, nothing is known.
"""

from __future__ import annotations

import binascii
import os
import sys
import time

from attn_doctor import __version__
from attn_doctor.machine import cache

TYPE_CHECKING = False  # type checkers take it for true; importing typing would cost more than the answer
if TYPE_CHECKING:
    import mmap
    from collections.abc import Sequence
    from typing import Any

    from attn_doctor.machine.host import Completed, Failed, Host

SCHEMA = "attn-doctor/asked/1"
MAX_BYTES = 1 << 20
MAX_FILES = 64
# an answer that a child process gave about the driver: until the next boot, and no longer than that
OF_CHILDREN_S = 24 * 3600
BOOT_ID = "/proc/sys/kernel/random/boot_id"
# the kernel makes these up at every look: their times say nothing, their content does
MADE_UP = ("/proc/", "/sys/")
FOLDERS = ("/dev",)  # of these the names count
# folders of installed packages, and the names of their metadata
PACKAGES = ("site-packages", "dist-packages")
INSTALLED = (".dist-info", ".egg-info")
FAILURES = (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError)


class Asking:
    """Passes every question on to another host, and keeps what shows whether its answer has changed."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.files: dict[str, Any] = {}
        self.variables: dict[str, int | None] = {}  # not the values: some hold a password
        self.links: dict[str, str] = {}
        self.children = False
        self.passing = False  # something was asked whose answer is never the same again

    def _see(self, path: str) -> None:
        absolute = path if path in self.files else os.path.abspath(path)
        if absolute not in self.files:
            self.files[absolute] = signature(absolute)

    def system(self) -> tuple[str, str, str]:
        return self._host.system()

    def read_text(self, path: str) -> str | None:
        self._see(path)
        return self._host.read_text(path)

    def read_head(self, path: str, size: int) -> str | None:
        self._see(path)
        return self._host.read_head(path, size)

    def open_binary(self, path: str) -> bytes | mmap.mmap | None:
        self._see(path)
        return self._host.open_binary(path)

    def remembered(self, path: str) -> bytes | None:
        return self._host.remembered(path)

    def remember(self, path: str, found: bytes) -> None:
        self._host.remember(path, found)

    def list_dir(self, path: str) -> tuple[str, ...]:
        self._see(path)
        return self._host.list_dir(path)

    def is_dir(self, path: str) -> bool:
        self._see(path)
        return self._host.is_dir(path)

    def is_file(self, path: str) -> bool:
        self._see(path)
        return self._host.is_file(path)

    def is_executable(self, path: str) -> bool:
        self._see(path)
        return self._host.is_executable(path)

    def real_path(self, path: str) -> str:
        found = self._host.real_path(path)
        self.links[os.path.abspath(path)] = found
        return found

    def env(self, name: str) -> str | None:
        found = self._host.env(name)
        self.variables[name] = _sum(found)
        return found

    def cores(self) -> int:
        return self._host.cores()

    def demangle(self, symbol: str) -> str | None:
        return self._host.demangle(symbol)

    def confstr(self, name: str) -> str | None:
        return self._host.confstr(name)

    def disk(self, path: str) -> tuple[int, int, str] | None:
        self.passing = True
        return self._host.disk(path)

    def memory(self) -> tuple[int, int] | None:
        self.passing = True
        return self._host.memory()

    def start(self, name: str, command: Sequence[str]) -> None:
        self.children = True
        self._host.start(name, command)

    def finish(self, name: str, timeout_s: float) -> Completed | Failed:
        return self._host.finish(name, timeout_s)


def signature(path: str) -> Any:
    """What of a path would be another if its answer were; None where nothing is there."""
    try:
        if path.startswith(MADE_UP) or path in FOLDERS:
            return _content(path)
        if path in sys.path and not path.endswith(PACKAGES):
            # the folder of a script: what a run writes there is no package
            return sorted(name for name in os.listdir(path) if name.endswith(INSTALLED) or name == "torch")
        found = os.stat(path)
    except OSError as error:
        return None if isinstance(error, (FileNotFoundError, NotADirectoryError)) else f"refused: {error.errno}"
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode]


def _content(path: str) -> Any:
    if os.path.isdir(path):
        return sorted(os.listdir(path))
    with open(path, "rb") as file:
        return file.read(1 << 16).decode("utf-8", "replace")


def _sum(value: str | None) -> int | None:
    return None if value is None else (binascii.crc32(os.fsencode(value)) << 16) + len(value) % (1 << 16)


def find(question: Sequence[object]) -> Any:
    """The answer that an earlier process kept, where everything is as it was then; None otherwise."""
    try:
        return _find(question)
    except FAILURES:
        return None


def _find(question: Sequence[object]) -> Any:
    place = _path(question)
    if place is None or not cache.is_ours(os.stat(place)):
        return None
    import json

    with open(place, "rb") as file:
        kept = json.loads(file.read(MAX_BYTES + 1))
    head = [SCHEMA, __version__, _of_this(question)]
    same = [kept["schema"], kept["version"], kept["of"]] == head and _stands(kept)
    return kept["answer"] if same else None


def _stands(kept: dict[str, Any]) -> bool:
    until = kept["until"]
    return (
        (until is None or kept["since"] <= time.time() < until)
        and all(_sum(os.environ.get(name)) == value for name, value in kept["variables"].items())
        and all(os.path.realpath(link) == to for link, to in kept["links"].items())
        and all(signature(path) == value for path, value in kept["files"].items())
    )


def keep(question: Sequence[object], asking: Asking, answer: Any, besides: Sequence[str] = ()) -> None:
    """Write the answer down for the next process. `besides`: files that were read without asking the host."""
    if asking.passing:
        return
    try:
        _keep(question, asking, answer, besides)
    except FAILURES:
        return


def _keep(question: Sequence[object], asking: Asking, answer: Any, besides: Sequence[str]) -> None:
    place = _path(question)
    if place is None:
        return
    import json

    files = asking.files | {path: signature(path) for path in (*_own_files(), *besides)}
    if asking.children:
        files[BOOT_ID] = signature(BOOT_ID)
    now = time.time()
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "of": _of_this(question),
        "since": now,
        "until": now + OF_CHILDREN_S if asking.children else None,
        "variables": asking.variables,
        "links": asking.links,
        "files": files,
        "answer": answer,
    }
    data = json.dumps(document).encode()
    if len(data) <= MAX_BYTES:
        cache.replace(place, data)
        _forget(os.path.dirname(place))


def _own_files() -> list[str]:
    """What judged: the modules of attn-doctor. Another one judges anew."""
    modules = [module for name, module in [*sys.modules.items()] if name.partition(".")[0] == "attn_doctor"]
    return [file for module in modules if (file := getattr(module, "__file__", None))]


def _of_this(question: Sequence[object]) -> list[Any]:
    """The process that asks, and what: one that imports from other folders is another."""
    uname = list(os.uname()) if hasattr(os, "uname") else [sys.platform]
    del uname[1:2]  # the name of the host is nobody's business
    entries: list[object] = [*sys.path]
    path = [entry for entry in entries if isinstance(entry, str)]
    return [sys.executable, sys.prefix, sys.version, path, uname, _plain(question)]


def _plain(value: object) -> Any:
    """Tuples as JSON gives them back."""
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def _path(question: Sequence[object]) -> str | None:
    number = binascii.crc32(repr(_of_this(question)).encode())
    return cache.place(os.path.join("resolved", f"{number:08x}.json"))


def _forget(folder: str) -> None:
    """The oldest, where there are more than anybody needs."""
    names = os.listdir(folder)
    if len(names) > MAX_FILES:
        paths = sorted((os.path.join(folder, name) for name in names), key=os.path.getmtime)
        for path in paths[:-MAX_FILES]:
            os.unlink(path)
