from __future__ import annotations

import json

import pytest

from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Absent
from attn_doctor.machine.host import CannotLook
from attn_doctor.machine.probes.built_wheels import PROBE, BuiltWheel
from support import REFUSED, Described, ask, value

KEPT = "/home/ada/.cache/attn-doctor/files/built"
HOME = {"HOME": "/home/ada"}
NAME = "flash-attn-2.8.3.post2-cp312-linux_x86_64-glibc2.35-torch2.12.0a0+1234567.nv26.05-cu13.0-abi1-sm80-90"
WHEEL = "flash_attn-2.8.3.post2-cp312-cp312-linux_x86_64.whl"
DIGEST = "ab" * 32


def note(fits: str = NAME, filename: str = WHEEL, **more: str) -> str:
    return json.dumps({"schema": "attn-doctor/built/1", "fits": fits, "filename": filename, "sha256": DIGEST, **more})


def machine(text: str | Exception, name: str = NAME, *, there: bool = True) -> Described:
    wheel = {f"{KEPT}/{name}/{WHEEL}": ""} if there else {}
    return Described({f"{KEPT}/{name}/built.json": text, **wheel}, env=HOME)


def test_one_that_is_kept() -> None:
    (one,) = value(ask(PROBE, machine(note(at="2026-11-28T10:00:00Z"))))
    assert one == BuiltWheel(
        path=f"{KEPT}/{NAME}/{WHEEL}",
        sha256=DIGEST,
        package="flash-attn",
        version="2.8.3.post2",
        python="cp312",
        os="linux",
        arch="x86_64",
        libc="glibc2.35",
        torch="2.12.0a0+1234567.nv26.05",
        cuda="13.0",
        cxx11abi=True,
        cuda_archs=("80", "90"),
        built="2026-11-28",
    )


@pytest.mark.parametrize(
    ("name", "cxx11abi", "python", "libc"),
    [
        (
            "flash-attn-2.8.3-cp313t-linux_aarch64-glibc2.39-torch2.9.1+cu130-cu13.0-abi0-sm100",
            False,
            "cp313t",
            "glibc2.39",
        ),
        ("flash-attn-2.8.3-cp310-linux_x86_64-torch2.8.0-cu12.8-abiunknown-sm80", None, "cp310", None),
    ],
)
def test_what_stands_in_its_name(name: str, cxx11abi: bool | None, python: str, libc: str | None) -> None:
    (one,) = value(ask(PROBE, machine(note(name), name)))
    assert (one.cxx11abi, one.python, one.libc, one.built) == (cxx11abi, python, libc, None)


@pytest.mark.parametrize(
    "other",
    [
        Described({}, env=HOME),
        machine("{"),
        machine("[]"),
        machine(note("another-folder")),
        machine(note(), there=False),  # half a wheel: the file is gone
        machine(note(filename="../elsewhere.whl")),
        machine(note("flash-attn"), "flash-attn"),
        Described({f"{KEPT}/{NAME}/{WHEEL}": ""}, env=HOME),  # the note is written last
    ],
)
def test_none(other: Described) -> None:
    assert isinstance(ask(PROBE, other), Absent)


def test_a_cache_elsewhere() -> None:
    folder = f"/cache/attn-doctor/files/built/{NAME}"
    elsewhere = Described({f"{folder}/built.json": note(), f"{folder}/{WHEEL}": ""}, env={"XDG_CACHE_HOME": "/cache"})
    assert value(ask(PROBE, elsewhere))[0].path == f"{folder}/{WHEEL}"


def test_what_may_not_be_listed_is_unknown() -> None:
    with pytest.raises(CannotLook):
        ask(PROBE, Described({f"{KEPT}/": REFUSED}, env=HOME))


def test_an_imagined_machine_has_none() -> None:
    assert isinstance(whatif.simulate(["gpu=NVIDIA L4", "torch=2.8.0+cu128"]).readings["built_wheels"], Absent)
