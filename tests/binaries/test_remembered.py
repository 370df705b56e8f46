"""GPU code remembered from one call to the next: it saves reading, and never changes an answer."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from attn_doctor.machine import gather
from attn_doctor.machine.binaries import fatbin, remembered
from attn_doctor.machine.binaries.elf import Elf, NotReadable
from attn_doctor.machine.binaries.fatbin import GpuCode
from attn_doctor.machine.host import LiveHost, RecordedHost, RecordingHost
from attn_doctor.machine.target import locate
from compiled import FakeVenv, build, needs_compiler

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import Ran

linux_without_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="permissions do not stop root"
)
A100 = GpuCode({"80": 1}, {})
H100 = GpuCode({"90": 1}, {})


def code(arch: int, rest: int = 0) -> str:
    """Source of a library whose GPU code is one cubin for that architecture, and a gap of some bytes behind it."""
    entry = struct.pack("<HHIQ12xI8xQ", 2, 0x101, 64, 24, arch, 0x11).ljust(64, b"\0") + b"\xab" * 24
    data = struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(entry) + rest) + entry
    if rest:  # an entry of no known kind, so that the section is large and its file is not
        data += struct.pack("<HHIQ12xI8xQ", 9, 0x101, 64, rest - 64, 1, 0).ljust(64, b"\0")
    numbers = ",".join(map(str, data))
    fill = f'".zero {rest - 64}\\n"' if rest else ""
    return f'asm(".section .nv_fatbin,\\"a\\"\\n.byte {numbers}\\n" {fill} ".text\\n"); int x;\n'


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the cache, in a folder of its own; every GPU code is worth remembering."""
    monkeypatch.setattr(fatbin, "WORTH_BYTES", 0)
    monkeypatch.setenv("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "attn-doctor" / "remembered.json"


class Counting(LiveHost):
    """Counts the times that it could tell what is in a file."""

    def __init__(self) -> None:
        super().__init__()
        self.known = 0

    def remembered(self, path: str) -> bytes | None:
        found = super().remembered(path)
        self.known += found is not None
        return found


def ask(path: Path, host: Any = None) -> tuple[GpuCode | None, bool]:
    """What a call of its own finds, and whether it knew."""
    host = host or Counting()
    data = host.open_binary(str(path))
    return fatbin.read_once(host, str(path), Elf(data)), bool(host.known)


@needs_compiler
def test_the_second_call_knows(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", code(80))
    assert ask(path) == (A100, False)
    assert ask(path) == (A100, True)


@needs_compiler
def test_that_there_is_none_is_remembered_too(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", "int x;")
    assert ask(path) == (None, False)
    assert ask(path) == (None, True)


@needs_compiler
def test_it_is_the_file_that_is_remembered_not_the_name(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", code(80))
    (tmp_path / "link.so").symlink_to(path)
    ask(path)
    assert ask(tmp_path / "link.so") == (A100, True)


@needs_compiler
def test_a_changed_file_is_read_again(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", code(80))
    ask(path)
    other = build(tmp_path / "other" / "lib.so", code(90))
    other.replace(path)
    assert ask(path) == (H100, False)
    assert ask(path) == (H100, True)
    assert len(json.loads(cache.read_bytes())["files"]) == 1, "what the file held before is forgotten"


@needs_compiler
def test_the_same_size_in_the_same_place_at_another_time(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", code(80))
    ask(path)
    before = path.stat()
    other = build(tmp_path / "other" / "lib.so", code(90)).read_bytes()
    with path.open("r+b") as file:
        file.write(other)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    after = path.stat()
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size)
    assert ask(path) == (H100, False)


@needs_compiler
def test_a_replacement_that_keeps_size_and_time(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", code(80))
    ask(path)
    before = path.stat()
    with path.open("r+b") as file:
        file.write(build(tmp_path / "other" / "lib.so", code(90)).read_bytes())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert ask(path) == (H100, False)


@needs_compiler
def test_a_file_replaced_while_it_is_read_is_not_mistaken(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", code(80))
    host = Counting()
    data = host.open_binary(str(path))
    build(tmp_path / "other" / "lib.so", code(90)).replace(path)
    assert fatbin.read_once(host, str(path), Elf(data or b"")) == A100
    assert ask(path) == (H100, False)


@needs_compiler
def test_what_cannot_be_read_is_not_remembered(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", 'asm(".section .nv_fatbin,\\"a\\"\\n.fill 64, 1, 7\\n.text\\n");')
    with pytest.raises(NotReadable):
        ask(path)
    assert not cache.exists()


@needs_compiler
def test_small_gpu_code_is_not_worth_it(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent.parent))
    assert ask(build(tmp_path / "lib.so", code(80, 1 << 20))) == (A100, False)
    assert not cache.parent.parent.exists()
    large = build(tmp_path / "large.so", code(80, 32 << 20))
    assert ask(large) == (A100, False)
    assert ask(large) == (A100, True)


def document(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps(json.loads(data) | changes).encode()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "no text": lambda data: b"\xff\x00" * 200,
    "another document": lambda data: b'{"schema": "someone/else/1", "files": []}',
    "a list": lambda data: b"[]",
    "deep": lambda data: b"[" * 100_000,
    "huge": lambda data: data + b" " * (2 << 20),
    "another answer": lambda data: data.replace(b'"80"', b'"90"'),
    "another schema": document(schema="attn-doctor/remembered/2"),
    "another version": document(version="0.0.1"),
    "another checksum": document(checksum=1),
    "files of another shape": document(files={"/a": [1, 2]}),
}


@needs_compiler
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_or_foreign_cache_is_as_good_as_none(
    cache: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = build(tmp_path / "lib.so", code(80))
    ask(path)
    cache.write_bytes(damage(cache.read_bytes()))
    assert ask(path) == (A100, False)
    assert ask(path) == (A100, True), "and is replaced by a good one"


@needs_compiler
def test_any_byte_of_the_cache_may_be_another(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", code(80))
    ask(path)
    good = cache.read_bytes()
    for place in range(len(good)):
        cache.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert ask(path)[0] == A100, good[place:]


@needs_compiler
@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "folder is a file"])
def test_what_stands_in_its_place_is_left_alone(cache: Path, tmp_path: Path, kind: str) -> None:
    cache.parent.mkdir(parents=True)
    if kind == "folder":
        (cache / "inside").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(cache)
    elif kind == "loop":
        cache.symlink_to(cache)
    else:
        cache.parent.rmdir()
        cache.parent.touch()
    path = build(tmp_path / "lib.so", code(80))
    assert [ask(path)[0] for _ in range(2)] == [A100, A100]
    assert [file.name for file in cache.parent.parent.rglob("*.json.*")] == [], "nothing is left behind"


@needs_compiler
@linux_without_root
def test_a_cache_that_cannot_be_written_or_read(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", code(80))
    cache.parent.mkdir(parents=True)
    cache.parent.chmod(0o500)
    assert [ask(path) for _ in range(2)] == [(A100, False)] * 2
    cache.parent.chmod(0o700)
    ask(path)
    cache.chmod(0)
    assert ask(path) == (A100, False)


@needs_compiler
def test_no_room_left_for_it(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = build(tmp_path / "lib.so", code(80))
    monkeypatch.setattr(remembered.os, "replace", full)
    assert [ask(path) for _ in range(2)] == [(A100, False)] * 2
    assert [*cache.parent.iterdir()] == []


@needs_compiler
def test_another_users_cache_is_neither_believed_nor_written(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build(tmp_path / "lib.so", code(80))
    ask(path)
    before = cache.stat()
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    assert [ask(path) for _ in range(2)] == [(A100, False)] * 2
    assert cache.stat() == before
    shutil.rmtree(cache.parent)
    ask(path)
    assert not cache.parent.exists()


@needs_compiler
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HOME": ""},
        {"HOME": "relative"},
        {"HOME": "/proc/nobody"},
        {"HOME": "/dev/null"},
        {"XDG_CACHE_HOME": "relative"},
        {"XDG_CACHE_HOME": "/proc/none"},
        {"XDG_CACHE_HOME": "/dev/null"},
    ],
)
def test_nowhere_to_keep_it(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    path = build(tmp_path / "lib.so", code(80))
    assert [ask(path) for _ in range(2)] == [(A100, False)] * 2
    assert [file.name for file in tmp_path.iterdir()] == ["lib.so"]


@needs_compiler
def test_the_places(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    ask(build(tmp_path / "lib.so", code(80)))
    assert (tmp_path / ".cache/attn-doctor/remembered.json").is_file()
    assert (tmp_path / ".cache/attn-doctor").stat().st_mode & 0o077 == 0


@needs_compiler
def test_turned_off(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(tmp_path / "lib.so", code(80))
    monkeypatch.setenv("ATTN_DOCTOR_NO_CACHE", "1")
    assert [ask(path) for _ in range(2)] == [(A100, False)] * 2
    assert not cache.exists()
    monkeypatch.delenv("ATTN_DOCTOR_NO_CACHE")
    ask(path)
    monkeypatch.setenv("ATTN_DOCTOR_NO_CACHE", "1")
    assert ask(path) == (A100, False), "nor is it read"


@needs_compiler
def test_nothing_new_nothing_written(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", code(80))
    ask(path)
    before = cache.stat()
    ask(path)
    assert cache.stat().st_ino == before.st_ino
    assert cache.stat().st_mtime_ns == before.st_mtime_ns


@needs_compiler
def test_the_oldest_is_forgotten(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_FILES", 3)
    paths = [build(tmp_path / f"lib{number}.so", code(80)) for number in range(4)]
    for path in paths:
        ask(path)
    assert list(json.loads(cache.read_bytes())["files"]) == [str(path.resolve()) for path in paths[1:]]


def test_as_many_as_may_be_are_small() -> None:
    many = {str(number): 10**6 for number in range(12)}
    found = remembered.msgspec.Raw(remembered.msgspec.json.encode(GpuCode(many, many)))
    entry = remembered.Entry((1 << 63,) * 5, found)
    files = {f"/{'x' * 250}/{number}": entry for number in range(remembered.MAX_FILES)}
    data = remembered._encoded(files)
    assert len(data) <= remembered.MAX_BYTES // 2
    assert remembered._decoded(data) == files


WRITER = """
import sys
from attn_doctor.machine.binaries import fatbin
from attn_doctor.machine.binaries.elf import Elf
from attn_doctor.machine.host import LiveHost
fatbin.WORTH_BYTES = 0
for path in sys.argv[1:]:
    host = LiveHost()
    assert fatbin.read_once(host, path, Elf(host.open_binary(path))).cubins == {"80": 1}
"""


@needs_compiler
def test_many_at_once(cache: Path, tmp_path: Path) -> None:
    paths = [str(build(tmp_path / f"lib{number}.so", code(80))) for number in range(30)]
    command = [sys.executable, "-c", WRITER]
    children = [subprocess.Popen([*command, *paths[number:], *paths[:number]]) for number in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    kept = json.loads(cache.read_bytes())["files"]
    assert kept
    assert set(kept) <= {os.path.realpath(path) for path in paths}
    assert [file.name for file in cache.parent.iterdir()] == ["remembered.json"]
    for path in paths:
        assert ask(Path(path))[0] == A100


@needs_compiler
def test_a_recording_holds_it(cache: Path, tmp_path: Path) -> None:
    path = build(tmp_path / "lib.so", code(80))
    for known in (False, True):
        host = Counting()
        recording = RecordingHost(host)
        data = recording.open_binary(str(path))
        assert fatbin.read_once(recording, str(path), Elf(data)) == A100
        assert bool(host.known) is known
        assert fatbin.read_once(RecordedHost(recording.answers), str(path), Elf(data)) == A100


@needs_compiler
def test_the_facts_are_the_same_bytes(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = FakeVenv(tmp_path)
    venv.flash_attn(code(90) + "int y;")

    def facts() -> bytes:
        host = LiveHost()
        return gather.encode(gather.gather(host, locate(host, venv=str(venv.root))))

    monkeypatch.setenv("ATTN_DOCTOR_NO_CACHE", "1")
    without = facts()
    monkeypatch.delenv("ATTN_DOCTOR_NO_CACHE")
    assert not cache.exists()
    first = facts()
    assert cache.exists()
    assert without == first == facts()
    assert b'"90": 1' in without


@needs_compiler
def test_a_whole_check_says_nothing_of_it(cache: Path, tmp_path: Path, cli: Callable[..., Ran]) -> None:
    venv = FakeVenv(tmp_path)
    venv.flash_attn(code(90, 32 << 20))

    def run(**env: str) -> tuple[int, bytes, str]:
        ran = cli("facts", "--venv", venv.root, env={"XDG_CACHE_HOME": str(cache.parent.parent)} | env)
        return ran.code, ran.stdout, ran.err

    without = run(ATTN_DOCTOR_NO_CACHE="1")
    assert not cache.exists()
    assert run() == without
    assert cache.exists()
    cache.write_bytes(b"{")
    assert run() == without
    assert run() == without
    assert without[0] == 0
    assert without[2] == ""


def test_a_check_without_extensions_pays_nothing(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom attn_doctor.machine import gather\nfrom attn_doctor.machine.host import LiveHost\n"
        "from attn_doctor.machine.target import locate\nhost = LiveHost()\n"
        "gather.gather(host, locate(host, venv=sys.argv[1]))\n"
        "assert 'attn_doctor.machine.binaries.remembered' not in sys.modules\n"
    )
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.11.0\n")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "venv")],
        capture_output=True,
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not (tmp_path / "cache").exists()
