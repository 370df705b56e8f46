"""A journal that is cut at any byte, in every state: what was kept comes back, or what is done stays."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from attn_doctor.cli import main
from attn_doctor.errors import NotDone
from attn_doctor.execute import begin, folders, put_back, recover
from attn_doctor.execute import change as changes
from attn_doctor.execute.fingerprint import fingerprint
from attn_doctor.execute.journal import Event, Journal
from attn_doctor.plan.plan import Plan, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def folder(path: Path, text: str) -> None:
    path.mkdir()
    (path / "file").write_text(text)


def plan(tmp_path: Path) -> Plan:
    keep = Step(
        id="keep",
        title="keep",
        kind="keep",
        command=("python", "-c", "", str(tmp_path / "env"), str(tmp_path / "env.before-12345678")),
    )
    return Plan(backend="triton", method="wheel", title="one", package="triton", version="3.4.0", steps=(keep,))


def begun(tmp_path: Path) -> changes.Change:
    folder(tmp_path / "env", "before")
    one = plan(tmp_path)
    return begin.begin(one, str(tmp_path / "env"), changes.places_of(one))


def kept(tmp_path: Path) -> changes.Change:
    one = begun(tmp_path)
    shutil.copytree(tmp_path / "env", tmp_path / "env.before-12345678", copy_function=os.link)
    one.journal.write(Event("kept", text=fingerprint(str(tmp_path / "env.before-12345678"))))
    one.journal.write(Event("step", step=2))
    (tmp_path / "env" / "file").unlink()
    (tmp_path / "env" / "file").write_text("after")
    return changes.read(one.id)


def done(tmp_path: Path) -> changes.Change:
    one = kept(tmp_path)
    one.journal.write(Event("done", text=fingerprint(one.target)))
    changes.close(one)
    return changes.read(one.id)


def was_put_back(tmp_path: Path) -> changes.Change:
    return put_back.put_back(kept(tmp_path), "it failed")


def rolled_back(tmp_path: Path) -> changes.Change:
    return put_back.roll_back(done(tmp_path))


STATES: dict[str, Callable[[Path], changes.Change]] = {
    "begun": begun,
    "kept": kept,
    "done": done,
    "put back": was_put_back,
    "rolled back": rolled_back,
}


@pytest.fixture
def in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder where to make sure that something is on the disk costs nothing."""
    place = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=place if os.access(place, os.W_OK) else tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("state", STATES)
def test_cut_at_every_byte(in_memory: Path, state: str) -> None:
    tmp_path = in_memory
    (tmp_path / "made").mkdir()
    one = STATES[state](tmp_path / "made")
    whole = Path(one.journal.path).read_bytes()
    made = tmp_path / "copy"
    shutil.copytree(tmp_path / "made", made, symlinks=True)
    texts = set()
    for size in range(len(whole) + 1):
        again(tmp_path, made)
        Path(one.journal.path).write_bytes(whole[:size])
        recover.recover(one.target)
        texts.add(said(tmp_path / "made"))
        assert recover.recover(one.target) is None, "once is enough"
        assert nothing_is_lost(tmp_path / "made", state), size
    assert texts <= ({"before"} if state != "done" else {"before", "after"})


def again(tmp_path: Path, made: Path) -> None:
    for path in (tmp_path / "made").iterdir():
        shutil.rmtree(path)
    for path in made.iterdir():
        shutil.copytree(path, tmp_path / "made" / path.name)


def said(folder: Path) -> str:
    return (folder / "env" / "file").read_text()


def nothing_is_lost(folder: Path, state: str) -> bool:
    """What was before is in its place, or is kept beside it; what a user was promised to be kept is there too."""
    texts = {path.name: (path / "file").read_text() for path in folder.iterdir()}
    aside = texts.get("env.after-0001") == "after" if state == "rolled back" else True
    return "before" in texts.values() and aside


def test_what_a_cut_left_of_a_line_does_not_stand_before_the_next(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    for kind in ("begun", "kept"):
        journal.write(Event(kind, text="ä\u2028\r\x85 and a blank"))
    path = Path(journal.path)
    path.write_bytes(path.read_bytes()[:-3])
    journal.write(Event("done"))
    assert [event.kind for event in journal.events()] == ["begun", "done"]
    assert [event.kind for event in Journal(str(tmp_path)).events()] == ["begun", "done"]


def test_a_line_that_was_altered_counts_as_never_written(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path))
    for kind in ("begun", "kept", "done"):
        journal.write(Event(kind))
    data = bytearray(Path(journal.path).read_bytes())
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        Path(journal.path).write_bytes(changed)
        assert [event.kind for event in journal.events()] in (["begun", "kept"], ["begun"], [])


def test_numbers_go_on_whatever_the_clock_says(tmp_path: Path) -> None:
    first = done(tmp_path)
    path = Path(first.journal.path)
    path.unlink()
    future = msgspec.structs.replace(Event("begun", here=first.target, there="", aside=""), at="2126-01-01T00:00:00Z")
    Journal(first.folder).write(future)
    shutil.rmtree(tmp_path / "env")
    assert begun(tmp_path).id == "0002"


def test_nothing_can_be_written_down_so_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(NotDone, match="Without one nothing is changed"):
        folders.made("changes")


def test_files_that_were_written_in_place_are_said(tmp_path: Path) -> None:
    one = kept(tmp_path)
    with open(tmp_path / "env.before-12345678" / "file", "a") as file:
        file.write(" and more")
    back = put_back.put_back(one, "it failed")
    assert put_back.differs(back)


def test_nothing_is_pruned_where_one_of_the_numbers_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = done(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["history", "--venv", one.target, "--prune", "1", "--prune", "9"])
    assert ended.value.code == 2
    assert "there is no change 9 of" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "env.before-12345678").exists()


def test_a_finished_change_whose_copy_was_pruned_cannot_be_rolled_back(tmp_path: Path) -> None:
    from attn_doctor.execute import listing

    one = done(tmp_path)
    listing.prune(one.target, "1")
    assert not (tmp_path / "env.before-12345678").exists()
    with pytest.raises(NotDone, match="no longer there"):
        recover.roll_back(recover.choose(one.target, "1"))
    with pytest.raises(NotDone, match="nothing to put back"):
        recover.choose(one.target, None)
    assert said(tmp_path) == "after"
