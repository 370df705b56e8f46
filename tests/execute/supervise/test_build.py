"""Real builds by real pip and uv: seen to go on, resumed, held back, and stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from msgspec.structs import replace

from attn_doctor.execute import running
from attn_doctor.execute.running import StepFailed
from attn_doctor.execute.supervise import build, kept_wheel
from attn_doctor.execute.supervise import room as memory
from attn_doctor.execute.supervise.progress import Progress
from attn_doctor.execute.supervise.room import Room
from attn_doctor.plan.plan import Step
from execute.supervise import extension
from execute.supervise.extension import GXX, NINJA, NVCC, UNITS, compiled, driven, logged, marked, step, wait_for
from support import clean_environment

GIB = 1 << 30
pytestmark = [
    pytest.mark.skipif(not NINJA or not GXX, reason="ninja and g++ are not here"),
    pytest.mark.skipif(sys.platform != "linux", reason="compilers are held back on Linux"),
]
PAUSE = "time.sleep(0.2)"


class Heard:
    """What a build told and printed."""

    def __init__(self) -> None:
        self.told: list[Progress] = []
        self.output = b""

    def listen(self, data: bytes) -> None:
        self.output += data

    @property
    def notes(self) -> list[str]:
        return [now.note for now in self.told if now.note]


def run(one: Step, look: object = None) -> Heard:
    heard = Heard()
    more = {"look": look} if look else {}
    build.run(one, heard.listen, clean_environment(), heard.told.append, **more)  # type: ignore[arg-type]
    return heard


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls"


def test_progress_is_right(tmp_path: Path, calls: Path) -> None:
    project = extension.make(tmp_path / "a folder", calls, body=PAUSE)
    heard = run(step(project, tmp_path / "wheels"))
    done = [now.done for now in heard.told if now.done is not None]
    assert done == sorted(done)
    assert heard.told[-1].done == heard.told[-1].total == UNITS
    assert any(0 < number < UNITS for number in done)
    between = [now for now in heard.told if now.done and now.done < UNITS]
    assert all(now.remaining_s for now in between)
    assert max(now.memory_bytes for now in heard.told) > 10 << 20
    assert set(compiled(calls).values()) == {1}
    assert b"[1/12]" in heard.output, "the log holds what the compiler prints"


def test_killed_in_the_middle_it_goes_on_from_there(tmp_path: Path, calls: Path) -> None:
    project = extension.make(tmp_path / "sources", calls, body=PAUSE)
    killed_and_resumed(project, tmp_path / "wheels", calls)


@pytest.mark.skipif(not NVCC, reason="no nvcc here")
def test_the_same_with_nvcc(tmp_path: Path, calls: Path) -> None:
    project = extension.make(tmp_path / "sources", calls, cuda=True)
    heard = killed_and_resumed(project, tmp_path / "wheels", calls)
    assert heard.told[-1].done == heard.told[-1].total == UNITS


def killed_and_resumed(project: Path, wheels: Path, calls: Path) -> Heard:
    mark, one = f"test-{uuid4()}", step(project, wheels)
    process = driven(one, mark=mark)
    try:
        wait_for(lambda: len(logged(project)) >= 4)
    finally:
        process.kill()
        process.communicate()
        running.stop_left_over(mark)
    assert not marked(mark)
    before = logged(project)
    assert len(before) < UNITS
    heard = run(one)
    assert (heard.told[0].done or 0) >= len(before)
    twice = {unit for unit, times in compiled(calls).items() if times > 1}
    assert not twice & before, "an object that is done is not compiled again"
    assert set(compiled(calls)) == logged_after(wheels)
    return heard


def logged_after(wheels: Path) -> set[str]:
    """The units of the wheel."""
    import zipfile

    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        return {name.split("/")[1].removesuffix(".o") for name in file.namelist() if name.endswith(".o")}


def test_jobs_are_held_back_before_memory_runs_out(tmp_path: Path, calls: Path) -> None:
    project = extension.make(tmp_path / "sources", calls, body="time.sleep(0.3)")
    looks = 0

    def look(_: int) -> Room:
        nonlocal looks
        looks += 1
        return Room(GIB if 3 <= looks <= 5 else 12 * GIB, 32 * GIB)

    heard = run(step(project, tmp_path / "wheels", jobs=3), look)
    assert max(now.held for now in heard.told) in (1, 2), "never all of them"
    assert heard.told[-1].held == 0
    assert set(compiled(calls).values()) == {1}
    assert not heard.notes


def test_with_hardly_any_memory_one_job_still_runs(tmp_path: Path, calls: Path) -> None:
    project = extension.make(tmp_path / "sources", calls, units=6)
    run(step(project, tmp_path / "wheels", jobs=3), lambda _: Room(int(1.5 * GIB), 32 * GIB))
    assert set(compiled(calls).values()) == {1}


@pytest.mark.parametrize("fate", ["os.kill(os.getpid(), signal.SIGKILL)", "sys.exit('std::bad_alloc')"])
def test_killed_for_memory_it_goes_on_with_fewer_jobs(tmp_path: Path, calls: Path, fate: str) -> None:
    body = f"if unit == 'u06.cpp' and int(os.environ['MAX_JOBS']) > 1: print('Killed', flush=True); {fate}"
    project = extension.make(tmp_path / "sources", calls, body=body)
    heard = run(step(project, tmp_path / "wheels", jobs=4))
    again = "memory ran out: going on from where it was, with {} compile job{}"
    assert heard.notes == [again.format(2, "s"), again.format(1, "")]
    assert heard.told[-1].jobs == 1
    found = compiled(calls)
    assert found.pop("u06.cpp") == 3
    assert all(found[f"u{number:02}.cpp"] == 1 for number in range(3)), "what was done stays done"
    assert again.format(1, "").encode() in heard.output


def test_one_job_that_finds_no_memory_is_the_end(tmp_path: Path, calls: Path) -> None:
    body = "if unit == 'u03.cpp': print('Killed', flush=True); sys.exit(137)"
    project = extension.make(tmp_path / "sources", calls, body=body, units=5)
    with pytest.raises(StepFailed, match="memory ran out with 1 compile job"):
        run(step(project, tmp_path / "wheels", jobs=2))


def test_a_plain_error_is_not_tried_again(tmp_path: Path, calls: Path) -> None:
    project = extension.make(tmp_path / "sources", calls, body="if unit == 'u00.cpp': sys.exit('error: no such type')")
    with pytest.raises(StepFailed, match="exit code 1"):
        run(step(project, tmp_path / "wheels", jobs=1))
    assert compiled(calls)["u00.cpp"] == 1
    assert not list((tmp_path / "wheels").glob("*.whl"))


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of 400 MiB, of version 1 or 2, where one may be made."""
    own = Path("/proc/self/cgroup").read_text()
    limit, _, folders = memory.cgroup_folders(own)
    folder = Path(folders[0]) / f"attn-doctor-{uuid4().hex[:8]}"
    try:
        folder.mkdir()
        (folder / limit).write_text(str(400 << 20))
    except OSError as error:
        if folder.is_dir():
            folder.rmdir()
        pytest.skip(f"no control group can be made: {error.strerror}")
    yield folder
    wait_for(lambda: not (folder / "cgroup.procs").read_text())
    folder.rmdir()


@pytest.mark.parametrize("seen", [True, False], ids=["held back", "killed by the kernel"])
def test_a_limit_of_a_control_group(small_group: Path, tmp_path: Path, calls: Path, seen: bool) -> None:
    """Three jobs of 180 MiB where 400 are allowed."""
    # memory comes in as a compiler takes it; unseen, all at once, and held until the others are there too
    pause, hold = (0.2, 0) if seen else (0.03, 2)
    body = f"held = []\nfor _ in range(9): held.append(b'x' * (20 << 20)); time.sleep({pause})\ntime.sleep({hold})"
    project = extension.make(tmp_path / "sources", calls, body=body, units=4)
    into = ("sh", "-c", f'echo $$ > "{small_group}/cgroup.procs" && exec "$@"', "sh")
    one = step(project, tmp_path / "wheels", 3, *into)

    def blind(pid: int) -> Room | None:
        room = memory.look(pid)
        return replace(room, left_bytes=room.total_bytes) if room else None

    heard = run(one, None if seen else blind)
    assert len(logged_after(tmp_path / "wheels")) == 4
    if seen:
        assert max(now.held for now in heard.told) >= 1
        # a sum that counts shared pages more than once: near the limit, and not beyond all reason
        assert max(now.memory_bytes for now in heard.told) < 480 << 20
    else:
        assert "memory ran out: going on from where it was, with 1 compile job" in heard.notes


@pytest.mark.parametrize("left", [[], [12 * GIB, 12 * GIB, GIB]], ids=["running", "held"])
def test_ctrl_c_leaves_nothing_running(tmp_path: Path, calls: Path, left: list[int]) -> None:
    project = extension.make(tmp_path / "sources", calls, body="time.sleep(30)")
    mark = f"test-{uuid4()}"
    looks = (",".join(map(str, left)),) if left else ()
    process = driven(step(project, tmp_path / "wheels", jobs=3), *looks, mark=mark)
    try:
        wait_for(lambda: bool(stopped(mark)) if left else len(compiled(calls)) >= 3)
        assert len(marked(mark)) > 4
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode in (1, -signal.SIGINT)
    assert b"KeyboardInterrupt" in said
    assert marked(mark) == []


def stopped(mark: str) -> list[int]:
    import psutil

    found = []
    for pid in marked(mark):
        with suppress(psutil.NoSuchProcess):  # it may have ended meanwhile
            if psutil.Process(pid).status() == psutil.STATUS_STOPPED:
                found.append(pid)
    return found


def test_a_compiler_whose_parents_died_is_ended_too(tmp_path: Path, calls: Path) -> None:
    """pip is killed, ninja and its jobs go on: they are ended before the build is tried again."""
    body = "if unit == 'u05.cpp' and int(os.environ['MAX_JOBS']) > 1: os.kill(os.getsid(0), signal.SIGKILL)\n" + PAUSE
    project = extension.make(tmp_path / "sources", calls, body=body)
    heard = run(step(project, tmp_path / "wheels", jobs=2))
    assert heard.notes == ["memory ran out: going on from where it was, with 1 compile job"]
    assert len(logged_after(tmp_path / "wheels")) == UNITS


def test_a_wheel_is_kept_and_used_again(tmp_path: Path, calls: Path) -> None:
    project = extension.make(tmp_path / "sources", calls, units=3)
    one = step(project, tmp_path / "built" / "slow-ext-1.0-cp311")
    run(one)
    heard = run(one)
    (note,) = heard.notes
    assert note.startswith("compiled before")
    assert set(compiled(calls).values()) == {1}
    (wheel,) = (tmp_path / "built").rglob("*.whl")
    wheel.write_bytes(wheel.read_bytes()[:-1])
    assert kept_wheel.find(str(wheel.parent)) is None
    shutil.rmtree(project / "build")
    run(one)
    assert set(compiled(calls).values()) == {2}, "half a wheel is no wheel"
    elsewhere = wheel.parent.with_name("slow-ext-1.0-cp312")
    shutil.copytree(wheel.parent, elsewhere)
    assert kept_wheel.find(str(elsewhere)) is None, "a folder that was moved fits something else"


def test_a_wheel_that_does_not_load_is_forgotten(tmp_path: Path, calls: Path) -> None:
    project = extension.make(tmp_path / "sources", calls, units=1)
    one = step(project, tmp_path / "built" / "slow-ext-1.0")
    run(one)
    kept_wheel.forget(one)
    assert kept_wheel.find(str(tmp_path / "built" / "slow-ext-1.0")) is None
    assert project.exists(), "a folder that is not ours stays"
    cache = tmp_path / "builds" / "slow-ext-1.0-abc"
    cache.mkdir(parents=True)
    kept_wheel.forget(Step(id="build", title="t", kind="build", command=("uv", "--cache-dir", str(cache), "x")))
    assert not cache.exists()


def test_sources_of_our_own_go_once_there_is_a_wheel(tmp_path: Path, calls: Path) -> None:
    project = extension.make(tmp_path / "builds" / "slow-ext-1.0-abc", calls, units=2)
    run(step(project, tmp_path / "wheels"))
    assert not project.exists()
    other = extension.make(tmp_path / "mine", calls, units=2)
    run(step(other, tmp_path / "other wheels"))
    assert other.exists()


def test_uv_goes_on_in_its_cache(tmp_path: Path, calls: Path) -> None:
    """The cache that the plan names holds the sources and the objects; afterwards it holds the wheel."""
    uv = shutil.which("uv", path=os.path.dirname(sys.executable)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    project = extension.make(tmp_path / "sources", calls, body=PAUSE)
    extension.archive(project, tmp_path / "files")
    venv = tmp_path / "venv"
    subprocess.run([uv, "venv", "--quiet", "--offline", "--python", sys.executable, str(venv)], check=True)
    cache = tmp_path / "builds" / "slow-ext"
    command = (
        *(uv, "pip", "install", "--python", str(venv / "bin/python"), "--cache-dir", str(cache)),
        *("--no-index", "--find-links", str(tmp_path / "files")),
        *("--no-deps", "--no-build-isolation", "--no-binary", "slow-ext", "slow-ext==1.0"),
    )
    one = Step(id="build", title="compile", kind="build", command=command, env={"MAX_JOBS": "2"})
    mark = f"test-{uuid4()}"
    process = driven(one, mark=mark)
    try:
        wait_for(lambda: compiled(calls).total() >= 6)
    finally:
        process.kill()
        process.communicate()
        running.stop_left_over(mark)
    heard = run(one)
    assert heard.told[-1].total == UNITS
    assert sum(times > 1 for times in compiled(calls).values()) <= 2, "only what was under way is compiled again"
    assert list(venv.rglob("slow_ext/*.o"))
    total = compiled(calls).total()
    subprocess.run([uv, "pip", "uninstall", "--quiet", "--python", str(venv / "bin/python"), "slow-ext"], check=True)
    run(one)
    assert compiled(calls).total() == total, "the wheel of the cache is used again"
