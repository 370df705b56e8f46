"""`attn-doctor install --yes` and its rollback with real pip and real uv: nothing but what was planned, or nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

import attn_doctor
from execute import faults
from execute import workshop as made_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from execute.workshop import Market, Workshop

SCHEMA = json.loads((Path(attn_doctor.__file__).parent / "schemas/history.json").read_text(encoding="utf-8"))
AS_ROOT = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="takes root")


def words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_installed_verified_listed_and_rolled_back(open_workshop: Callable[[str], Workshop], kind: str) -> None:
    workshop = open_workshop(kind)
    before = workshop.fingerprint()
    ran = workshop.install()
    assert ran.code == 0, ran
    assert "done and verified: triton 3.4.0. To undo it: attn-doctor rollback 0001" in ran.err
    after = workshop.fingerprint()
    assert {name for name in after.keys() - before.keys() if "triton" not in name} <= {".lock"}
    assert {name for name in before if after.get(name) != before[name]} <= {"."}
    (one,) = workshop.history()
    assert (one["id"], one["state"], one["title"]) == ("0001", "done", "triton 3.4.0")
    assert made_here.fingerprint(Path(one["kept"][0])) == before
    assert "pip install" in Path(one["log"]).read_text(encoding="utf-8")
    back = workshop.call("rollback", "--yes")
    assert back.code == 0, back
    assert workshop.fingerprint() == before
    (one,) = workshop.history()
    assert one["state"] == "rolled back"
    assert made_here.fingerprint(Path(one["kept"][0])) == after, "what was there is kept too"
    assert workshop.call("rollback", "--yes").code == 1
    assert workshop.fingerprint() == before


@pytest.mark.parametrize(
    ("kind", "mood"),
    [
        *(("pip", mood) for mood in ("missing", "cut", "hang", "wrong digest", "half-way")),
        *(("uv", mood) for mood in ("cut", "wrong digest", "half-way")),
    ],
)
def test_what_fails_leaves_everything_as_it_was(
    open_workshop: Callable[[str], Workshop], shop: Market, kind: str, mood: str
) -> None:
    workshop = open_workshop(kind)
    before = workshop.fingerprint()
    if mood == "half-way":
        shop.files[made_here.TRITON] = made_here.fails_half_way(workshop.folder)
    shop.moods[made_here.TRITON] = mood
    ran = workshop.install()
    assert ran.code == 1, ran
    assert "step 2 of 3 failed" in words(ran.err)
    assert "Traceback" not in ran.err
    assert workshop.fingerprint() == before
    assert workshop.left_beside() == set()
    (one,) = workshop.history()
    assert (one["state"], one["kept"]) == ("put back", [])
    assert Path(one["log"]).exists()
    assert one["log"] in ran.err.replace("\n", "")


def test_what_does_not_verify_is_put_back(workshop: Workshop, shop: Market) -> None:
    """pip is content; the probe is believed."""
    before = workshop.fingerprint()
    wheel = made_here.TRITON
    stated = made_here.make_wheel(workshop.folder, wheel, {"other/__init__.py": ""}, version="3.4.0+other")
    shop.files[wheel] = stated.read_bytes().replace(b"Name: triton", b"Name: tritor")
    ran = workshop.install()
    assert ran.code == 1, ran
    assert workshop.fingerprint() == before


def test_nobody_can_be_asked_so_nothing_is_done(workshop: Workshop) -> None:
    before = workshop.fingerprint()
    ran = workshop.call("install", "triton")
    assert ran.code == 1
    assert "--yes" in ran.err
    assert "triton==3.4.0" in ran.out, "the plan is shown first"
    assert workshop.fingerprint() == before
    assert workshop.history() == []


def test_a_second_install_at_the_same_time_is_refused(workshop: Workshop) -> None:
    assert sorted(faults.two_at_once(workshop)) == [0, 1]
    assert [one["state"] for one in workshop.history()] == ["done"]


def test_a_python_of_the_system_is_left_alone(open_workshop: Callable[[str], Workshop]) -> None:
    workshop = open_workshop("managed")
    before = workshop.fingerprint()
    ran = workshop.call("install", "triton", "--yes", "--python", workshop.target / "bin/python", at=False)
    assert ran.code == 1, ran
    assert "virtual environment" in ran.out
    assert workshop.fingerprint() == before
    assert not workshop.state.exists()


def test_a_python_that_holds_more_than_packages(open_workshop: Callable[[str], Workshop], shop: Market) -> None:
    """As in a container: the folder of its packages is kept, and the commands that packages bring."""
    workshop = open_workshop("system")
    entry = {"triton-3.4.0.dist-info/entry_points.txt": "[console_scripts]\nproton = triton:main\n"}
    shop.add(made_here.triton(workshop.folder, extra=entry))
    python = ("--python", workshop.target / "bin/python")
    before = workshop.fingerprint()
    ran = workshop.call("install", "triton", "--yes", *python, at=False)
    assert ran.code == 0, ran
    assert (workshop.target / "bin/proton").exists()
    ran = workshop.call("rollback", "--yes", *python, at=False)
    assert ran.code == 0, ran
    for name in ("before-", "after-"):
        for folder in workshop.site.parent.glob(f"site-packages.{name}*"):
            shutil.rmtree(folder)
    assert workshop.fingerprint() == before


def test_an_environment_of_conda(open_workshop: Callable[[str], Workshop]) -> None:
    workshop = open_workshop("conda")
    before = workshop.fingerprint()
    history = workshop.target / "conda-meta/history"
    assert workshop.install().code == 0
    with history.open("a", encoding="utf-8") as file:  # conda adds to it in place
        file.write("==> later <==\n")
    assert workshop.call("rollback", "--yes").code == 0
    assert workshop.fingerprint() == before


def test_an_environment_behind_a_link(workshop: Workshop) -> None:
    real = workshop.target
    workshop.target = workshop.folder / "linked"
    workshop.target.symlink_to(real)
    before = made_here.fingerprint(real)
    assert workshop.install().code == 0
    assert made_here.fingerprint(real) != before
    assert workshop.call("rollback", "--yes").code == 0
    assert made_here.fingerprint(real) == before
    assert workshop.target.is_symlink()


@AS_ROOT
def test_an_immutable_file_stops_it_before_anything_is_touched(workshop: Workshop) -> None:
    before = workshop.fingerprint()
    with faults.immutable(workshop.site / "bystander.py") as done:
        if not done:
            pytest.skip("this file system has no immutable files")
        ran = workshop.install()
    assert ran.code == 1, ran
    assert workshop.fingerprint() == before
    assert workshop.left_beside() == set()
    with faults.immutable(workshop.target):
        ran = workshop.install()
    assert ran.code == 1
    assert "immutable" in ran.err
    assert workshop.fingerprint() == before


@AS_ROOT
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="takes setpriv")
def test_an_environment_of_somebody_else_is_left_alone(workshop: Workshop) -> None:
    for path in (workshop.target, *workshop.target.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    before = workshop.fingerprint()
    ran = workshop.install(under=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    assert ran.code == 1, ran
    assert "cannot be written to: no permission" in words(ran.err)
    assert workshop.fingerprint() == before
    assert not (workshop.state / "changes").exists()
    assert workshop.install().code == 0, "root itself may"
    assert workshop.call("rollback", "--yes").code == 0
    assert workshop.fingerprint() == before, "owners come back too"


@AS_ROOT
def test_a_file_system_that_is_mounted_read_only(workshop: Workshop) -> None:
    with faults.small_disk(workshop.target.parent, 1 << 24) as done:
        if not done:
            pytest.skip("nothing can be mounted here")
        subprocess.run(["mount", "-o", "remount,ro", workshop.target.parent], check=True)
        ran = workshop.install()
        assert ran.code == 1, ran
        assert "read-only" in ran.out
    assert workshop.history() == []


def test_an_unfinished_change_is_seen_and_put_back_by_whoever_comes_next(workshop: Workshop, shop: Market) -> None:
    before = workshop.fingerprint()
    shop.moods[made_here.TRITON] = "hang"
    killed_in_step_two(workshop)
    assert faults.running(str(workshop.state)), "pip still waits for its file"
    report = workshop.call("check", "--format", "json").json()
    (finding,) = [one for one in report["findings"] if one["code"] == "AD321"]
    assert finding["severity"] == "error"
    assert finding["fix"][0].startswith("attn-doctor rollback --python ")
    assert workshop.history()[0]["state"] == "interrupted"
    assert workshop.call("history", "--prune", "1").code == 1, "its copy is needed"
    del shop.moods[made_here.TRITON]
    ran = workshop.install()
    assert ran.code == 0, ran
    assert "change 0001 (triton 3.4.0) was interrupted" in words(ran.err)
    assert [one["state"] for one in workshop.history()] == ["done", "put back"]
    assert "AD321" not in workshop.call("check").out
    assert faults.running(str(workshop.state)) == []
    assert workshop.call("rollback", "--yes").code == 0
    assert workshop.fingerprint() == before


def killed_in_step_two(workshop: Workshop) -> None:
    """While the installer is at work: its server is asked, and does not answer."""
    process = subprocess.Popen(
        workshop.command("install", "triton", "--yes"),
        env=workshop.environment,
        cwd=workshop.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ends = time.monotonic() + 60
    while not any(path.endswith(".whl") for path in workshop.shop.asked) and time.monotonic() < ends:
        time.sleep(0.02)
    process.kill()
    process.wait()


def test_a_target_that_is_gone_can_be_put_back(workshop: Workshop) -> None:
    before = workshop.fingerprint()
    assert workshop.install().code == 0
    shutil.rmtree(workshop.target)
    assert workshop.history()[0]["state"] == "done"
    ran = workshop.call("rollback", "--yes")
    assert ran.code == 0, ran
    assert workshop.fingerprint() == before


def test_back_to_before_the_first_of_two(workshop: Workshop) -> None:
    """The later one goes with it; no copy is lost, and each is removed on request alone."""
    before = workshop.fingerprint()
    assert workshop.install().code == 0
    shutil.rmtree(next(workshop.site.glob("triton-*.dist-info")))  # by hand: attn-doctor sees no triton any more
    assert workshop.install().code == 0
    second, first = workshop.history()
    assert (second["state"], first["state"]) == ("done", "done")
    assert len({*second["kept"], *first["kept"]}) == 2
    ran = workshop.call("rollback", "0001", "--yes")
    assert ran.code == 0, ran
    assert "1 later change" in ran.err
    assert workshop.fingerprint() == before
    second, first = workshop.history()
    assert (second["state"], first["state"]) == ("undone", "rolled back")
    assert workshop.left_beside() == {Path(path).name for path in (*second["kept"], *first["kept"])}
    ran = workshop.call("history", "--prune", "2", "--prune", "0001", "--format", "json")
    assert ran.code == 0, ran
    jsonschema.validate(ran.json(), SCHEMA, cls=jsonschema.Draft202012Validator)
    assert [one["kept"] for one in ran.json()["changes"]] == [[], []]
    assert workshop.left_beside() == set()
    assert workshop.fingerprint() == before
