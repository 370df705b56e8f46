"""Two folders that change places, whatever is interrupted: by an exchange, by renames, and where neither can be."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from attn_doctor.execute import kept
from attn_doctor.execute.exchange import exchange
from attn_doctor.execute.kept import MARKER, Places, Stuck


def folder(path: Path, text: str) -> Path:
    (path / "lib" / "deep").mkdir(parents=True)
    (path / "lib" / "deep" / "file").write_text(text)
    (path / "link").symlink_to("lib")
    (path / "lib" / "empty").mkdir()
    return path


def said(path: str | Path) -> str:
    return (Path(path) / "lib" / "deep" / "file").read_text()


def places(tmp_path: Path) -> Places:
    folder(tmp_path / "env", "failed")
    folder(tmp_path / "env.before", "before")
    return Places(str(tmp_path / "env"), str(tmp_path / "env.before"), str(tmp_path / "env.failed"))


def names(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()}


def over(tmp_path: Path, of: Places) -> None:
    assert said(of.here) == "before"
    assert said(of.aside) == "failed"
    assert names(tmp_path) == {"env", "env.failed"}
    assert not any(path.name == MARKER for path in tmp_path.rglob("*"))
    assert not kept.is_moving(of)


def test_the_copy_comes_back_and_what_was_there_goes_aside(tmp_path: Path) -> None:
    of = places(tmp_path)
    kept.swap(of)
    over(tmp_path, of)
    kept.swap(of)
    over(tmp_path, of)


def test_every_state_in_between_is_brought_to_its_end(tmp_path: Path) -> None:
    """What a kill leaves: marked; exchanged; one rename done."""
    for number, step in enumerate((_marked, _exchanged, _renamed, _renamed_marked)):
        root = tmp_path / str(number)
        root.mkdir()
        of = places(root)
        if not step(of):
            continue
        assert kept.is_moving(of)
        kept.swap(of)
        over(root, of)


def _marked(of: Places) -> bool:
    (Path(of.here) / MARKER).touch()
    return True


def _exchanged(of: Places) -> bool:
    (Path(of.here) / MARKER).touch()
    return exchange(of.here, of.there)


def _renamed(of: Places) -> bool:
    Path(of.here).rename(of.aside)
    return True


def _renamed_marked(of: Places) -> bool:
    return _marked(of) and _renamed(of)


def test_what_is_not_ours_is_not_overwritten(tmp_path: Path) -> None:
    of = places(tmp_path)
    folder(tmp_path / "env.failed", "somebody's")
    with pytest.raises(Stuck, match="in the way"):
        kept.swap(of)
    assert [said(path) for path in (of.here, of.there, of.aside)] == ["failed", "before", "somebody's"]
    assert not kept.is_moving(of)


def test_neither_is_there(tmp_path: Path) -> None:
    with pytest.raises(Stuck, match="neither"):
        kept.swap(Places(str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "c")))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="takes root, to mount")
@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_a_folder_of_a_container_image_that_cannot_be_renamed(tmp_path: Path, done: int) -> None:
    """On a union of folders the kernel refuses to rename one that lies below: what is in it moves, piece by piece."""
    base = tmp_path / "mounted"
    subprocess.run(["mkdir", base], check=True)
    # the upper folder of a union must lie on a file system of its own kind
    if subprocess.run(["mount", "-t", "tmpfs", "none", base], check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        for name in ("lower", "upper", "work", "union"):
            (base / name).mkdir()
        folder(base / "lower" / "env", "failed")
        layers = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work,redirect_dir=off"
        command = ["mount", "-t", "overlay", "overlay", "-o", layers, base / "union"]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            pytest.skip("no union of folders can be mounted here")
        try:
            _in_a_union(base / "union", done)
        finally:
            subprocess.run(["umount", base / "union"], check=True)
    finally:
        subprocess.run(["umount", base], check=True)


def _in_a_union(union: Path, done: int) -> None:
    folder(union / "env.before", "before")
    of = Places(str(union / "env"), str(union / "env.before"), str(union / "env.failed"))
    with pytest.raises(OSError, match="cross-device"):
        os.rename(of.here, of.aside)
    if done:  # a call that was killed on the way
        (union / "env.failed").mkdir()
        (union / "env.failed" / MARKER).touch()
    if done > 1:
        (union / "env" / "link").rename(union / "env.failed" / "link")
    if done > 2:
        (union / "env.failed" / "lib" / "deep").mkdir(parents=True)
        (union / "env" / "lib" / "deep" / "file").rename(union / "env.failed" / "lib" / "deep" / "file")
    kept.swap(of)
    over(union, of)


def test_drop_removes_what_hides(tmp_path: Path) -> None:
    closed = folder(tmp_path / "closed", "x")
    (closed / "lib" / "deep").chmod(0)
    (closed / "lib").chmod(0o500)
    assert kept.drop(str(closed)) is None
    assert not closed.exists()
    (tmp_path / "link").symlink_to(folder(tmp_path / "other", "kept"))
    assert kept.drop(str(tmp_path / "link")) is None
    assert said(tmp_path / "other") == "kept"
    assert kept.drop(str(tmp_path / "nothing")) is None
