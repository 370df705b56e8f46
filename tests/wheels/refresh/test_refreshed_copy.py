"""Reading a refreshed copy: damaged anywhere, of another format, older than the package; and a damaged package."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import attn_doctor
from attn_doctor.wheels import catalogue, embedded, refreshed
from attn_doctor.wheels.refresh.merge import Merged, embedded_rows, merge_all, without_repeats
from attn_doctor.wheels.refresh.shelves import Row, rows_of, shelved
from attn_doctor.wheels.tables import Shelf
from imagined import call, facts
from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW = "flash_attn-2.9.0+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
KEYS = ("gpu=NVIDIA L4", "torch=2.8.0+cu128")
LATER = "2027-05-05"


def new_row(**said: Any) -> Row:
    row = Row(
        package="flash-attn",
        version="2.9.0",
        filename=NEW,
        py="cp312",
        abi="cp312",
        plat="linux_x86_64",
        cxx11abi=True,
        source="fa-official",
        evidence="listed",
        cuda="cu12",
        torch="2.8",
        tag="v2.9.0",
        sha256="ab" * 32,
        size_bytes=256_000_000,
    )
    return msgspec.structs.replace(row, **said)


def everything() -> list[Row]:
    return [row for rows in embedded_rows().values() for row in rows]


def encoded(rows: list[Row], as_of: str = LATER) -> bytes:
    return refreshed.encoded("0", as_of, {"fa-official": as_of}, shelved(rows))


@pytest.fixture(scope="module")
def whole() -> bytes:
    return encoded([*everything(), new_row()])


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the copy belongs; nothing is there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "attn-doctor" / "wheels" / "catalogue"
    path.parent.mkdir(parents=True)
    forget()
    yield path
    forget()


def forget() -> None:
    catalogue._faults.clear()
    catalogue._set_asides.clear()
    catalogue.forget()


def place(copy: Path, data: bytes) -> None:
    copy.write_bytes(data)
    forget()


def key(wheel: catalogue.Wheel) -> Any:
    return msgspec.structs.replace(wheel, as_of="")


def test_a_whole_copy_answers(copy: Path, whole: bytes) -> None:
    before = {package: set(map(key, catalogue.wheels(package))) for package in catalogue.packages()}
    place(copy, whole)
    assert catalogue.as_of() == LATER
    after = {package: set(map(key, catalogue.wheels(package))) for package in catalogue.packages()}
    (new,) = after["flash-attn"] - before["flash-attn"]
    assert (new.filename, new.sha256, new.size_bytes) == (NEW, "ab" * 32, 256_000_000)
    assert {package: found - {new} for package, found in after.items()} == before
    assert catalogue.fault() is None
    days = {wheel.source: wheel.as_of for wheel in catalogue.wheels("flash-attn")}
    assert (days["fa-official"], days["mjun0812"]) == (LATER, "2026-08-22")
    assert days["adithyaxx"] == embedded.sources().as_of, "what was not read again is not of that day"


def test_one_torch_minor_reads_one_shelf(copy: Path, whole: bytes) -> None:
    place(copy, whole)
    minor = catalogue.wheels("flash-attn", "2.8")
    assert catalogue._shelf_wheels.cache_info().currsize == 1
    assert NEW in {wheel.filename for wheel in minor}
    assert list(minor) == [w for w in catalogue.wheels("flash-attn") if catalogue.serves_minor(w.torch, "2.8")]


def test_an_older_copy_is_passed_over(copy: Path) -> None:
    place(copy, encoded([new_row()], as_of="2026-11-20"))
    assert catalogue.as_of() == embedded.sources().as_of
    assert NEW not in {wheel.filename for wheel in catalogue.wheels("flash-attn")}
    assert catalogue.fault() is None


def test_packages_that_the_copy_lacks_come_from_the_package(copy: Path) -> None:
    before = set(map(key, catalogue.wheels("flash-attn-4")))
    place(copy, encoded([new_row()]))
    assert [wheel.filename for wheel in catalogue.wheels("flash-attn")] == [NEW]
    assert set(map(key, catalogue.wheels("flash-attn-4"))) == before
    assert set(catalogue.packages()) >= {"flash-attn", "flash-attn-4", "xformers"}


def answer_of(*options: str) -> Any:
    called = call("wheels", "--facts", "-", *options, stdin=facts(*KEYS))
    assert called.code in (0, 1), called
    assert "Traceback" not in called.err
    return called


def test_damage_anywhere_never_breaks_an_answer(copy: Path, whole: bytes) -> None:
    """A copy is used when it is whole, and else the embedded catalogue: there is no third answer."""
    shutil.rmtree(copy.parent)
    sound = answer_of().out
    copy.parent.mkdir()
    place(copy, whole)
    fresh = answer_of().out
    assert NEW in fresh
    assert NEW not in sound
    header = whole.index(b"\n", 60) if b"\n" in whole[60:] else 2000
    places = [*range(0, 60, 4), *range(60, header, max(1, header // 40))]
    places += random.Random(4).sample(range(len(whole)), 60)
    start = whole.index(b'{"package": "flash-attn",\n', header)
    assert start > 0
    for number, position in enumerate(places):
        damaged = bytearray(whole)
        if number % 3 == 0:
            damaged[position] ^= 0x41
        elif number % 3 == 1:
            del damaged[position:]
        else:
            damaged[position : position + 7] = b""
        place(copy, bytes(damaged))
        called = answer_of()
        assert called.out in (sound, fresh), position
        set_aside = called.out == sound
        assert ("is not used" in called.err) is set_aside, (position, called.err)
        assert called.err.count("\n") == set_aside


def test_a_shelf_that_is_damaged_takes_the_day_with_it(copy: Path, whole: bytes) -> None:
    """The header is sound, so the copy is used, until the one shelf that is needed turns out damaged."""
    at = whole.index(b'"flash_attn-2.9.0')
    place(copy, whole[:at] + b"X" + whole[at + 1 :])
    document = answer_of("--format", "json").json()
    assert document["as_of"] == embedded.sources().as_of
    assert {wheel["as_of"] for wheel in document["fitting"] if wheel["source"] == "fa-official"} == {"2026-08-15"}


def test_what_is_damaged_in_meaning(copy: Path) -> None:
    """Checksums are right, and yet it cannot be."""
    for shelf in (b"{}", b"[]", b"null", b"\xff", shelved([new_row(source="nobody")])["flash-attn.torch-2.8"]):
        place(copy, refreshed.encoded("0", LATER, {}, {"flash-attn.torch-2.8": shelf}))
        called = answer_of()
        assert "is not used" in called.err
        assert "The catalogue is of 2026-11-21." in called.out
    good = shelved([new_row()])["flash-attn.torch-2.8"]
    wrong = good.replace(b'x86_64",0,', b'x86_64",7,')
    assert wrong != good
    place(copy, refreshed.encoded("0", LATER, {}, {"flash-attn.torch-2.8": wrong}))
    assert "is not used" in answer_of().err


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"attn-doctor/wheels-copy/2 ", "a newer attn-doctor wrote it (format 2; this one reads 1)"),
        (b"attn-doctor/wheels-copy/0 ", "it is damaged (its first line)"),
        (b"PK\x03\x04", "it is damaged (its first line)"),
    ],
)
def test_another_format(copy: Path, whole: bytes, start: bytes, said: str) -> None:
    place(copy, start + whole.partition(b" ")[2])
    called = answer_of()
    assert f"the refreshed copy of the catalogue is not used: {said}; `attn-doctor wheels refresh`" in called.err
    assert "The catalogue is of 2026-11-21." in called.out


def test_empty_gone_a_folder_a_pipe(copy: Path) -> None:
    place(copy, b"")
    assert "is not used" in answer_of().err
    copy.unlink()
    forget()
    assert answer_of().err == ""
    copy.mkdir()
    forget()
    assert "it is not a file" in answer_of().err
    copy.rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(copy)
        forget()
        assert "it is not a file" in answer_of().err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away")
def test_a_copy_of_another_user_is_not_believed(copy: Path, whole: bytes) -> None:
    place(copy, whole)
    os.chown(copy, 12345, 12345)
    assert catalogue.as_of() == embedded.sources().as_of


def test_a_refresh_in_between_is_no_damage(copy: Path, whole: bytes) -> None:
    """The header was read, then another process put a new copy in its place."""
    place(
        copy, encoded([*everything(), new_row(), new_row(filename=NEW.replace("312", "313"), py="cp313", abi="cp313")])
    )
    assert catalogue.as_of() == LATER
    copy.write_bytes(whole)
    assert NEW in {wheel.filename for wheel in catalogue.wheels("flash-attn")}
    assert catalogue.fault() is None


# shelves


@pytest.mark.parametrize("small", [False, True])
def test_rows_come_back_from_shelves(small: bool) -> None:
    rows = [*everything(), new_row(), new_row(tag="v2.9.1"), new_row(filename=NEW.replace("+", "+b."), size_bytes=None)]
    back = [
        row for data in shelved(rows, small=small).values() for row in rows_of(msgspec.json.decode(data, type=Shelf))
    ]
    assert len(back) == len(rows)
    assert set(back) == set(rows)


def test_nothing_listed_changes_nothing() -> None:
    basis = embedded_rows()
    merged = merge_all(basis, {})
    assert {source: set(one.rows) for source, one in merged.items()} == {k: set(v) for k, v in basis.items()}
    assert sum(map(len, basis.values())) == len(list(without_repeats(merged, ())))
    assert merged["fa-official"] == Merged(tuple(basis["fa-official"]))


# the package itself


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation of attn-doctor that may be damaged."""
    folder = tmp_path_factory.mktemp("installed")
    shutil.copytree(Path(attn_doctor.__file__).parent, folder / "attn_doctor", ignore=shutil.ignore_patterns("__pyc*"))
    return folder


def damaged_call(package: Path, *arguments: str) -> Any:
    env = clean_environment() | {"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "attn_doctor", *arguments],
        input=facts(*KEYS),
        env=env,
        cwd=package,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("sources.json", None, "sources.json cannot be read (No such file or directory)"),
        ("sources.json", b"", "sources.json is damaged"),
        ("sources.json", b'{"format": 2, "wheels": []}', "it is of format 2, and this attn-doctor reads format 1"),
        ("sources.json", b'{"as_of": "2026-11-21", "sources": {}}', "sources.json is damaged"),
        ("flash-attn.torch-2.8.json", b'{"package": "fl', "flash-attn.torch-2.8.json is damaged"),
        ("build_facts.json", b"[]", "build_facts.json is damaged"),
        ("", None, "sources.json cannot be read"),
    ],
)
def test_a_damaged_package_says_so(package: Path, name: str, content: bytes | None, said: str) -> None:
    folder = package / "attn_doctor" / "wheels" / "catalogue"
    kept = package / "kept"
    shutil.copytree(folder, kept)
    try:
        if content is not None:
            (folder / name).write_bytes(content)
        elif name:
            (folder / name).unlink()
        else:
            shutil.rmtree(folder)
        ran = damaged_call(package, "wheels", "--facts", "-")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)
    err = " ".join(ran.stderr.decode().split())
    assert ran.returncode == 3, err
    assert ran.stdout == b""
    assert f"attn-doctor: the catalogue of wheels that came with attn-doctor cannot be used: {said}" in err
    assert err.endswith("Install attn-doctor again.")
