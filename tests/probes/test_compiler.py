from __future__ import annotations

import pytest

from attn_doctor.machine.facts import Absent, Unknown
from attn_doctor.machine.host import Failed
from attn_doctor.machine.probes.compiler import PROBE, Compiler, parse_version
from support import Described, ask, said, value

FREE = """Copyright (C) 2022 Free Software Foundation, Inc.
This is free software; see the source for copying conditions.  There is NO
warranty; not even for MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.

"""
DEBIAN = "g++ (Debian 12.2.0-14+deb12u1) 12.2.0\n" + FREE
CLANG = """Ubuntu clang version 14.0.0-1ubuntu1.1
Target: x86_64-pc-linux-gnu
Thread model: posix
InstalledDir: /usr/bin
"""
CCACHE = """ccache version 4.8
Features: file-storage http-storage redis-storage

Copyright (C) 2002-2007 Andrew Tridgell
Copyright (C) 2009-2023 Joel Rosdahl and other contributors

See <https://ccache.dev/credits.html> for a complete list of contributors.

This program is free software; you can redistribute it and/or modify it under
the terms of the GNU General Public License as published by the Free Software
Foundation; either version 3 of the License, or (at your option) any later
version.
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(DEBIAN, ("gcc", "12.2.0"), id="debian"),
        pytest.param("g++ (Ubuntu 13.2.0-23ubuntu4) 13.2.0\n" + FREE, ("gcc", "13.2.0"), id="ubuntu"),
        pytest.param("g++ (GCC) 15.0.1 20250329 (Red Hat 15.0.1-0)\n" + FREE, ("gcc", "15.0.1"), id="fedora"),
        pytest.param(
            "x86_64-conda-linux-gnu-c++ (conda-forge gcc 13.3.0-2) 13.3.0\n" + FREE, ("gcc", "13.3.0"), id="conda-forge"
        ),
        pytest.param("c++ (Alpine 13.2.1_git20240309) 13.2.1 20240309\n" + FREE, ("gcc", "13.2.1"), id="alpine"),
        pytest.param("g++ (SUSE Linux) 7.5.0\n" + FREE, ("gcc", "7.5.0"), id="suse"),
        pytest.param(
            "g++ (Ubuntu 11.4.0-1ubuntu1~22.04) 11.4.0\n"
            "Copyright (C) 2021 Free Software Foundation, Inc.\n"
            "Dies ist freie Software; die Kopierbedingungen stehen in den Quellen. Es\n"
            "gibt KEINE Garantie; auch nicht für MARKTGÄNGIGKEIT oder FÜR SPEZIELLE ZWECKE.\n",
            ("gcc", "11.4.0"),
            id="german",
        ),
        pytest.param(CLANG, ("clang", "14.0.0"), id="clang"),
        pytest.param(
            "clang version 18.1.8 (Fedora 18.1.8-1.fc40)\nTarget: x86_64\n", ("clang", "18.1.8"), id="fc-clang"
        ),
        pytest.param(
            "Apple clang version 15.0.0 (clang-1500.3.9.4)\nTarget: arm64-apple-darwin23\n",
            ("clang", "15.0.0"),
            id="apple",
        ),
        pytest.param("", None, id="nothing"),
        pytest.param("bash: g++: command not found\n", None, id="no number"),
        pytest.param(
            "Intel(R) oneAPI DPC++/C++ Compiler 2024.2.1 (2024.2.1.20240711)\nTarget: x86_64\n", None, id="another make"
        ),
        pytest.param(CCACHE, None, id="a launcher is no compiler"),
    ],
)
def test_parse_version(text: str, expected: tuple[str, str] | None) -> None:
    assert parse_version(text) == expected


def machine(executables: set[str], env: dict[str, str], answer: object = None) -> Described:
    return Described(
        executables=executables,
        env={"PATH": "/usr/local/bin:/usr/bin"} | env,
        commands={"compiler": answer or said(DEBIAN)},
    )


@pytest.mark.parametrize(
    ("executables", "env", "path"),
    [
        ({"/usr/bin/g++", "/usr/bin/c++"}, {}, "/usr/bin/g++"),
        ({"/usr/bin/c++", "/usr/bin/clang++"}, {}, "/usr/bin/c++"),
        ({"/usr/bin/clang++"}, {}, "/usr/bin/clang++"),
        ({"/usr/bin/g++", "/usr/bin/g++-11"}, {"CXX": "g++-11"}, "/usr/bin/g++-11"),
        ({"/usr/bin/g++", "/opt/gcc/bin/g++"}, {"CXX": "/opt/gcc/bin/g++ -m64"}, "/opt/gcc/bin/g++"),
        ({"/usr/bin/g++", "/usr/bin/ccache"}, {"CXX": "ccache g++"}, "/usr/bin/g++"),
    ],
    ids=["g++ first", "c++", "clang++", "CXX by name", "CXX with flags", "CXX behind ccache"],
)
def test_which_compiler_a_build_takes(executables: set[str], env: dict[str, str], path: str) -> None:
    assert value(ask(PROBE, machine(executables, env))) == Compiler("gcc", "12.2.0", path)


def test_none() -> None:
    assert isinstance(ask(PROBE, machine(set(), {})), Absent)


def test_a_cxx_that_is_not_there_does_not_fall_back_to_another() -> None:
    assert isinstance(ask(PROBE, machine({"/usr/bin/g++"}, {"CXX": "g++-99"})), Absent)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (said("?\n"), "says '?"),
        (said("", 1, "g++: fatal error"), "says ''"),
        (Failed("no answer within 10 s"), "no answer within 10 s"),
    ],
)
def test_one_that_is_not_understood_is_unknown(answer: object, reason: str) -> None:
    reading = ask(PROBE, machine({"/usr/bin/g++"}, {}, answer))
    assert isinstance(reading, Unknown)
    assert "/usr/bin/g++ --version" in reading.reason
    assert reason in reading.reason
