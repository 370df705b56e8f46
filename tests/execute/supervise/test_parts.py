"""The parts alone: what ninja writes, how many jobs may run, what is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_doctor.execute import census, stopping
from attn_doctor.execute.census import Job, Process
from attn_doctor.execute.supervise import holding, objects
from attn_doctor.execute.supervise import room as memory
from attn_doctor.execute.supervise.attempt import End
from attn_doctor.execute.supervise.build import for_memory
from attn_doctor.execute.supervise.progress import Progress, bar, duration, line, remaining_s

GIB = 1 << 30
# as torch 2.13 writes it
NINJA = """\
ninja_required_version = 1.3
cxx = c++
nvcc = /usr/local/cuda/bin/nvcc

rule compile
  command = $cxx -MMD -MF $out.d $cflags -c $in -o $out $post_cflags
  depfile = $out.d
  deps = gcc

rule cuda_compile
  depfile = $out.d
  deps = gcc
  command = $nvcc -MD -MF $out.d $cuda_cflags -c $in -o $out $cuda_post_cflags

build /tmp/a$ b/temp/k0.o: cuda_compile /tmp/a$ b/k0.cu
build C$:/temp/k1.o: compile /tmp/k1.cpp | header.h
build two.o two.d: compile $
    /tmp/two.cpp

build all: phony two.o
"""
LOG = "# ninja log v7\n0\t72874\t1795615943441657508\t/tmp/a b/temp/k0.o\t97d6f02a2820c809\n23\t1638"


def test_what_ninja_is_to_build() -> None:
    assert objects.outputs(NINJA) == ["/tmp/a b/temp/k0.o", "C:/temp/k1.o", "two.o"]


def test_what_ninja_has_built() -> None:
    assert list(objects.finished(LOG)) == ["/tmp/a b/temp/k0.o"], "the line that was cut off counts for nothing"


def test_an_object_that_is_gone_is_not_done(tmp_path: Path) -> None:
    (tmp_path / "build.ninja").write_text("build a.o: cc a.c\nbuild b.o: cc b.c\n")
    (tmp_path / ".ninja_log").write_text("# ninja log v5\n0\t1\t2\ta.o\tff\n0\t1\t2\tb.o\tfe\n0\t1\t2\told.o\tfd\n")
    (tmp_path / "b.o").touch()
    assert objects.count([str(tmp_path)]) == objects.Count(1, 2)
    assert objects.count([]) is None


@pytest.mark.parametrize("under", ["build/temp.linux-x86_64-cpython-311", "sdists-v9/pypi/x/1.0/rev/src/build/temp.x"])
def test_where_ninja_builds(tmp_path: Path, under: str) -> None:
    place = tmp_path / "a [b]" / under
    place.mkdir(parents=True)
    (place / "build.ninja").touch()
    assert objects.folders(str(tmp_path / "a [b]")) == (str(place),)


def test_without_ninja_objects_are_counted(tmp_path: Path) -> None:
    place = tmp_path / "build/temp.linux/csrc"
    place.mkdir(parents=True)
    for name in ("a.o", "b.o", "b.o.d"):
        (place / name).touch()
    assert objects.loose(str(tmp_path)) == 2


def test_the_status_of_ninja() -> None:
    assert objects.status(b"  [1/73] nvcc\nwarning\n  [12/73] nvcc a.cu\n") == objects.Count(12, 73)
    assert objects.status(b"array[1/2]\n") is None


def test_a_name_with_spaces_and_parentheses() -> None:
    text = b"42 (a) b (c)) S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 1234 1000 25 18446744073709551615 1"
    assert census.parse_stat(text, 4096) == Process(42, 7, "a) b (c)", 1234.0, 25 * 4096)
    assert census.parse_stat(text.replace(b") S", b") Z"), 4096) is None


def test_jobs_are_what_ninja_started() -> None:
    found = (
        Process(1, 0, "python", 1.0, 5),
        Process(2, 1, "ninja", 2.0, 5),  # the wrapper of the wheel
        Process(3, 2, "ninja", 3.0, 5),
        Process(4, 3, "sh", 4.0, 1),
        Process(5, 4, "nvcc", 5.0, 2),
        Process(6, 3, "sh", 6.0, 1),
        Process(7, 5, "cicc", 7.0, 90),
    )
    assert census.jobs(found) == (Job((4, 5, 7), 4.0, 93), Job((6,), 6.0, 1))
    assert census.jobs(found[:1]) == ()


@given(
    looks=st.lists(st.integers(0, 64 * GIB), min_size=1, max_size=60),
    sizes=st.lists(st.integers(0, 8 * GIB), min_size=1, max_size=20),
)
@settings(max_examples=200)
def test_one_job_always_runs(looks: list[int], sizes: list[int]) -> None:
    jobs = [Job((number,), float(number), size) for number, size in enumerate(sizes)]
    pace = holding.Pace()
    for number, left in enumerate(looks):
        pace = holding.step(pace, jobs, left, 64 * GIB, number * 0.5)
        running, waiting = holding.split(pace, jobs)
        assert running[0] == jobs[0], "the oldest runs"
        assert [*running, *waiting] == jobs
        victim = holding.sacrifice(pace, jobs, left, 64 * GIB)
        assert victim is None or victim in waiting
    for number in range(200):  # with room for all they all go on
        pace = holding.step(pace, jobs, 64 * GIB, 64 * GIB, 1000.0 + number * 0.5)
    assert pace.allowed is None


def test_a_fast_fall_holds_back_early() -> None:
    jobs = [Job((number,), float(number), GIB) for number in range(4)]
    calm = holding.step(holding.Pace(), jobs, 9 * GIB, 64 * GIB, 0.0)
    assert holding.step(calm, jobs, 8 * GIB + GIB // 2, 64 * GIB, 0.5).allowed is None
    assert holding.step(calm, jobs, 6 * GIB, 64 * GIB, 0.5).allowed == 3, "6 GiB are gone in a second"


def test_the_last_one_is_made_room_for() -> None:
    jobs = [Job((number,), float(number), GIB) for number in range(3)]
    one = holding.Pace(allowed=1)
    assert holding.sacrifice(one, jobs, GIB // 2, 64 * GIB) == jobs[2]
    assert holding.sacrifice(one, jobs, 4 * GIB, 64 * GIB) is None
    assert holding.sacrifice(one, jobs[:1], 0, 64 * GIB) is None, "never the last"
    assert holding.sacrifice(holding.Pace(allowed=2), jobs, 0, 64 * GIB) is None


@pytest.mark.parametrize(("total", "floor"), [(400 << 20, 100 << 20), (4 * GIB, 256 << 20), (16 * GIB, 858993459)])
def test_what_stays_free(total: int, floor: int) -> None:
    assert holding.floor(total) == floor
    assert holding.floor(512 * GIB) == 2 * GIB


@pytest.mark.parametrize(
    ("printed", "yes"),
    [
        ("nvcc error   : 'cicc' died due to signal 9 (Kill signal)", True),
        ("c++: fatal error: Killed signal terminated program cc1plus", True),
        ("/bin/sh: line 1:  4711 Killed                  /usr/local/cuda/bin/nvcc -c a.cu", True),
        ("Killed", True),
        ("FAILED: [code=137] /tmp/build/a.o", True),
        ("cc1plus: out of memory allocating 65536 bytes after a total of 1 bytes", True),
        ("terminate called after throwing an instance of 'std::bad_alloc'", True),
        ('a.cu(12): error: identifier "Killed" is undefined', False),
        ("nvcc error   : 'cicc' died due to signal 11 (Invalid memory reference)", False),
        ("ninja: build stopped: subcommand failed.", False),
    ],
)
def test_what_a_death_for_memory_looks_like(printed: str, yes: bool) -> None:
    assert for_memory(End(1, f"before\n{printed}\nafter\n".encode())) is yes


def test_what_else_says_so() -> None:
    assert for_memory(End(-9, b""))
    assert for_memory(End(1, b"", kills=1))
    assert for_memory(End(1, b"", given_up=1))
    assert not for_memory(End(-15, b""))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_memory_of_this_machine() -> None:
    found = memory.look(os.getpid())
    assert found
    assert 0 < found.left_bytes <= found.total_bytes


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (
            Progress(done=31, total=73, elapsed_s=720, remaining_s=980, memory_bytes=9 * GIB, jobs=4, held=1),
            "31 of 73 objects, 12 min so far, about 16 min to go, 9.0 GiB of memory, 1 of 4 jobs held back for memory",
        ),
        (Progress(elapsed_s=4), "no object compiled yet, 4 s so far"),
        (Progress(done=3, elapsed_s=7500), "3 objects, 2 h 05 min so far"),
    ],
)
def test_a_line(now: Progress, said: str) -> None:
    assert line(now) == said


def test_a_bar() -> None:
    assert bar(Progress(done=6, total=12)) == "[############------------]"
    assert bar(Progress(done=12, total=12)) == "[########################]"
    assert bar(Progress(done=1)) == bar(Progress()) == ""


def test_what_is_left_goes_by_this_attempts_pace() -> None:
    assert remaining_s(31, 21, 73, 600) == 42 * 60
    assert remaining_s(21, 21, 73, 600) is None
    assert remaining_s(3, 0, None, 600) is None
    assert duration(59.9) == "59 s"


def test_a_command_that_hears_nothing_is_ended_all_the_same() -> None:
    command = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(60)"]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    stopping.stop(process, grace_s=0.1)
    process.stdout.close()
    assert process.returncode == -9
