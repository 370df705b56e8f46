from __future__ import annotations

import pytest

from attn_doctor.machine.facts import Absent, Unknown
from attn_doctor.machine.host import Failed
from attn_doctor.machine.probes.libc import PROBE, Libc, parse_confstr, parse_musl
from support import Described, ask, said, value

MUSL = """musl libc (x86_64)
Version 1.2.4
Dynamic Program Loader
Usage: /lib/ld-musl-x86_64.so.1 [options] [--] pathname [args]
"""
LOADER = "/lib/ld-musl-x86_64.so.1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("glibc 2.36", Libc("glibc", "2.36")),
        ("glibc 2.9\n", Libc("glibc", "2.9")),
        ("glibc", None),
        ("glibc new", None),
        ("NPTL 2.36", None),
        ("", None),
    ],
)
def test_parse_confstr(text: str, expected: Libc | None) -> None:
    assert parse_confstr(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MUSL, Libc("musl", "1.2.4")),
        ("musl libc (aarch64)\nVersion 1.2.5_git20230717\n", Libc("musl", "1.2.5_git20230717")),
        ("musl libc (x86_64)\n", None),
        ("Version 1.2.4\n", None),
        ("musl libc (x86_64)\nVersion \n", None),
        ("", None),
    ],
)
def test_parse_musl(text: str, expected: Libc | None) -> None:
    assert parse_musl(text) == expected


def test_glibc() -> None:
    reading = ask(PROBE, Described(confstr={"CS_GNU_LIBC_VERSION": "glibc 2.36"}))
    assert value(reading) == Libc("glibc", "2.36")


def test_musl_prints_on_standard_error_and_exits_with_1() -> None:
    alpine = Described({LOADER: ""}, commands={f"{LOADER} --version": said("", 1, MUSL)})
    reading = ask(PROBE, alpine)
    assert value(reading) == Libc("musl", "1.2.4")
    assert reading.source == LOADER


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(Described(), id="nothing"),
        pytest.param(Described({LOADER: ""}, commands={f"{LOADER} --version": said("")}), id="a silent loader"),
        pytest.param(Described({LOADER: ""}, commands={f"{LOADER} --version": Failed("no")}), id="no answer"),
        pytest.param(Described(confstr={"CS_GNU_LIBC_VERSION": "glibc"}), id="no version"),
    ],
)
def test_unknown(machine: Described) -> None:
    assert isinstance(ask(PROBE, machine), Unknown)


def test_only_linux_has_one() -> None:
    assert isinstance(ask(PROBE, Described(system=("windows", "x86_64", "10"))), Absent)
