"""The door itself: what the live host answers, and that a recording answers nothing else."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from attn_doctor.machine.host import (
    CannotLook,
    Completed,
    Failed,
    LiveHost,
    RecordedHost,
    RecordingHost,
    join,
    run,
    which,
)
from support import Described

if TYPE_CHECKING:
    from pathlib import Path

linux_without_root = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="permissions do not stop root"
)


def test_a_recording_fails_on_a_question_it_was_not_recorded_for() -> None:
    recorded = RecordedHost({"env PATH": "/bin"})
    assert recorded.env("PATH") == "/bin"
    with pytest.raises(LookupError, match="not recorded: env HOME"):
        recorded.env("HOME")
    with pytest.raises(LookupError, match="not recorded: read_text /etc/passwd"):
        recorded.read_text("/etc/passwd")


def test_recorded_and_replayed() -> None:
    recording = RecordingHost(Described({"/a/b": "text"}, links={"/l": "/a"}, env={"X": "1"}))

    def ask(host: object) -> list[object]:
        return [
            host.read_text("/l/b"),  # type: ignore[attr-defined]
            host.read_text("/none"),  # type: ignore[attr-defined]
            host.read_head("/a/b", 2),  # type: ignore[attr-defined]
            host.list_dir("/a"),  # type: ignore[attr-defined]
            host.env("X"),  # type: ignore[attr-defined]
            host.real_path("/l/b"),  # type: ignore[attr-defined]
        ]

    answers = ask(recording)
    assert answers == ["text", None, "te", ("b",), "1", "/a/b"]
    assert ask(RecordedHost(recording.answers)) == answers


def test_a_refusal_is_recorded_as_a_refusal() -> None:
    recording = RecordingHost(Described({"/secret": CannotLook("cannot read /secret: permission denied")}))
    for host in (recording, RecordedHost(recording.answers)):
        with pytest.raises(CannotLook, match="permission denied"):
            host.read_text("/secret")


def test_a_file_that_is_not_there_is_none_and_a_folder_too(tmp_path: Path) -> None:
    host = LiveHost()
    assert host.read_text(str(tmp_path / "none")) is None
    assert host.read_text(str(tmp_path)) is None
    (tmp_path / "file").write_text("x")
    assert host.read_text(str(tmp_path / "file" / "below")) is None
    assert host.list_dir(str(tmp_path / "none")) == ()
    assert host.list_dir(str(tmp_path / "file")) == ()
    assert host.disk(str(tmp_path / "none")) is None


def test_a_listing_is_sorted(tmp_path: Path) -> None:
    for name in ("b", "a", "C"):
        (tmp_path / name).touch()
    assert LiveHost().list_dir(str(tmp_path)) == ("C", "a", "b")


def test_bytes_that_are_no_utf8_are_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"caf\xe9\n")
    assert LiveHost().read_text(str(tmp_path / "file")) == "caf\ufffd\n"


@linux_without_root
def test_what_we_may_not_read_is_a_refusal(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch(mode=0)
    folder.mkdir(mode=0)
    with pytest.raises(CannotLook, match=r"cannot read .*: permission denied"):
        LiveHost().read_text(str(file))
    with pytest.raises(CannotLook, match=r"cannot list .*: permission denied"):
        LiveHost().list_dir(str(folder))


def test_a_name_that_no_file_system_takes_is_a_refusal() -> None:
    with pytest.raises(CannotLook, match="cannot read"):
        LiveHost().read_text("/" + "x" * 5000)


def test_a_command() -> None:
    answer = run(LiveHost(), [sys.executable, "-c", "import sys; print('out'); sys.exit('err')"], 30)
    assert isinstance(answer, Completed)
    assert (answer.returncode, answer.stdout.strip(), answer.stderr.strip()) == (1, "out", "err")


def test_a_command_reads_no_terminal() -> None:
    answer = run(LiveHost(), [sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"], 30)
    assert isinstance(answer, Completed)
    assert answer.stdout.strip() == "''"


def test_a_command_that_is_not_there() -> None:
    answer = run(LiveHost(), ["/nowhere/g++", "--version"], 30)
    assert answer == Failed("/nowhere/g++ could not be started: no such file or directory")


def test_a_command_that_takes_too_long_is_ended() -> None:
    host = LiveHost()
    began = time.monotonic()
    assert run(host, [sys.executable, "-c", "import time; time.sleep(60)"], 0.3) == Failed(
        "no answer within 0.3 s", timed_out=True
    )
    assert time.monotonic() - began < 30


def test_the_same_command_twice_is_run_once(tmp_path: Path) -> None:
    """The driver and the GPUs both ask nvidia-smi; one that hangs must not be left behind twice."""
    count = tmp_path / "count"
    command = [sys.executable, "-c", f"open({str(count)!r}, 'a').write('x')"]
    host = LiveHost()
    assert run(host, command, 30) == run(host, command, 30)
    assert count.read_text() == "x"


def test_which_takes_the_first_on_path() -> None:
    host = Described({"/b/nvcc": ""}, executables={"/c/nvcc", "/d/nvcc"}, env={"PATH": "/a:/b::/c/:/d"})
    assert which(host, "nvcc") == "/c/nvcc"
    assert which(host, "gcc") is None
    assert which(Described(), "nvcc") is None


def test_join() -> None:
    assert join("/a/", "b", "c/") == "/a/b/c/"
    assert join("/", "a") == "/a"


def test_a_symbol_in_words() -> None:
    host = LiveHost()
    assert host.demangle("_ZN3c104cuda9SetDeviceEi") in ("c10::cuda::SetDevice(int)", None)
    assert host.demangle("cudaMalloc") is None
    assert host.demangle("_ZN\u00b2") is None
