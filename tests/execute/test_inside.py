"""A target that is a file system of its own (a volume): its copies lie in it, and what is in it changes places."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attn_doctor.execute import kept
from attn_doctor.execute.kept import MARKER, Places, Stuck
from attn_doctor.plan import steps
from execute import workshop as made_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from execute.workshop import Market, Workshop

SWAP = """
import os, signal, sys
left = int(sys.argv[1])
def hear(event, given):
    global left
    acts = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir")
    if event == "open" and isinstance(given[2], int):
        acts = bool(given[2] & (os.O_WRONLY | os.O_CREAT))
    if acts:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
from attn_doctor.execute.kept import Places, swap
of = Places(*sys.argv[2:])
sys.addaudithook(hear)
swap(of)
"""


def folder(path: Path, text: str) -> None:
    (path / "lib").mkdir(parents=True)
    (path / "lib" / "file").write_text(text)
    (path / "pyvenv.cfg").write_text(text)
    (path / "link").symlink_to("lib")
    (path / f"only {text}").write_text("")


def places(root: Path) -> Places:
    here = root / "env"
    area = here / steps.AREA
    folder(here, "failed")
    folder(area / "before-1a2b3c4d", "before")
    there = str(area / "before-1a2b3c4d")
    return Places(str(here), there, steps.aside(str(here), there))


def over(of: Places) -> None:
    here, aside = Path(of.here), Path(of.aside)
    assert {path.name for path in here.iterdir()} == {"lib", "pyvenv.cfg", "link", "only before", steps.AREA}
    assert {path.name for path in aside.iterdir()} == {"lib", "pyvenv.cfg", "link", "only failed"}
    assert [path.name for path in aside.parent.iterdir()] == [aside.name]
    assert (here / "link" / "file").read_text() == "before"
    assert not any(path.name == MARKER for path in here.rglob("*"))
    assert not kept.is_moving(of)


def test_what_is_in_it_changes_places(tmp_path: Path) -> None:
    of = places(tmp_path)
    kept.swap(of)
    over(of)
    kept.swap(of)
    over(of)


@pytest.mark.skipif(os.name != "posix", reason="takes signals")
def test_killed_before_each_act_and_brought_to_its_end(tmp_path: Path) -> None:
    for number in range(100):
        root = tmp_path / str(number)
        root.mkdir()
        of = places(root)
        command = [sys.executable, "-c", SWAP, str(number), of.here, of.there, of.aside]
        hit = subprocess.run(command, check=False).returncode != 0
        assert not hit or kept.is_moving(of) or os.path.exists(of.there)
        kept.swap(of)
        over(of)
        if not hit:
            break
    assert number > 8


def test_a_folder_that_was_made_ahead_is_taken_and_another_is_left_alone(tmp_path: Path) -> None:
    of = places(tmp_path)
    Path(of.aside).mkdir()
    (Path(of.aside) / "of somebody").write_text("")
    with pytest.raises(Stuck):
        kept.swap(of)
    (Path(of.aside) / "of somebody").unlink()
    kept.swap(of)
    over(of)


@contextmanager
def mounted(how: str, target: Path) -> Iterator[None]:
    """The target on a file system of its own: a tmpfs, or a folder that is bound there."""
    aside = target.with_name("what is in it")
    target.rename(aside)
    target.mkdir()
    command = ("-t", "tmpfs", "none") if how == "tmpfs" else ("--bind", aside)
    if subprocess.run(["mount", *command, target], capture_output=True, check=False).returncode:
        target.rmdir()
        aside.rename(target)
        pytest.skip("nothing can be mounted here")
    try:
        if how == "tmpfs":
            subprocess.run(["cp", "-a", f"{aside}/.", target], check=True)
        yield
    finally:
        subprocess.run(["umount", target], check=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="to mount takes root")
@pytest.mark.parametrize("how", ["tmpfs", "bind"])
def test_an_environment_on_a_volume(
    open_workshop: Callable[[str], Workshop], shop: Market, how: str, tmp_path: Path
) -> None:
    workshop = open_workshop("uv" if how == "bind" else "pip")
    area = workshop.target / steps.AREA
    with mounted(how, workshop.target):
        before = workshop.fingerprint()
        shown = workshop.call("install", "triton", "--dry-run")
        assert f"{area}/before-" in shown.out, shown
        shop.moods[made_here.TRITON] = "cut"
        ran = workshop.install()
        assert ran.code == 1, ran
        assert "putting everything back" in ran.err
        assert workshop.fingerprint() == before, "a failure: all as it was, and nothing of ours is left"
        del shop.moods[made_here.TRITON]
        ran = workshop.install()
        assert ran.code == 0, ran
        (copy,) = workshop.history()[0]["kept"]
        assert Path(copy).parent == area
        assert made_here.fingerprint(Path(copy)) == before
        assert {path.name for path in area.iterdir()} == {Path(copy).name}
        back = workshop.call("rollback", "--yes")
        assert back.code == 0, back
        assert "changed by others" not in back.err
        (aside,) = workshop.history()[0]["kept"]
        assert Path(aside).name == "after-0002"
        assert workshop.call("history", "--prune", "2").code == 0
        assert workshop.fingerprint() == before
        nested(workshop)


def nested(workshop: Workshop) -> None:
    """A file system within the target cannot be kept with it: said before anything is begun."""
    inner = workshop.site / "bystander-data"
    subprocess.run(["mount", "-t", "tmpfs", "none", inner], check=True)
    try:
        ran = workshop.install()
        assert ran.code == 1, ran
        assert f"{inner} is a file system of its own" in ran.err.replace("\n  ", " ").replace("\n", " ")
    finally:
        subprocess.run(["umount", inner], check=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="to mount takes root")
def test_the_script_of_a_plan_there(workshop: Workshop, shop: Market) -> None:
    with mounted("tmpfs", workshop.target):
        before = workshop.fingerprint()
        script = workshop.call("install", "triton", "--dry-run", "--format", "sh").out
        shop.moods[made_here.TRITON] = "missing"
        run = {"shell": True, "cwd": workshop.folder, "env": workshop.environment, "capture_output": True}
        done = subprocess.run(script, check=False, **run)  # type: ignore[call-overload]
        assert done.returncode == 1, done
        assert b"putting back what was there before" in done.stderr
        left = workshop.target / steps.AREA
        assert not list(left.iterdir())
        left.rmdir()
        assert workshop.fingerprint() == before
