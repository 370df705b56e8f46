"""The host compiler that a build takes: CXX where it is set, else g++, else c++."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.machine.facts import Absent, Known, Reading, Unknown
from attn_doctor.machine.host import Completed, Host, which
from attn_doctor.machine.probe import Edit, Probe, WhatIf, timeout_s
from attn_doctor.machine.target import Target

LONGEST_LINE = 1_000  # no compiler's is; what is searched for brackets must not be endless
LAUNCHERS = ("ccache", "sccache", "distcc", "env")


class Compiler(msgspec.Struct, frozen=True):
    """A C++ compiler."""

    family: str  # gcc, clang, msvc
    version: str
    path: str | None = None


def parse_version(text: str) -> tuple[str, str] | None:
    """('gcc', '12.2.0') from the first lines that `g++ --version` prints, in any locale."""
    first = text.partition("\n")[0][:LONGEST_LINE]
    family = "clang" if "clang" in first else "gcc" if "Free Software Foundation" in text or "g++" in first else None
    # the last dotted number: '(Debian 12.2.0-14+deb12u1) 12.2.0', '(GCC) 15.3.0 20250808 (Red Hat 15.3.0-1)'
    stripped = re.sub(r"\([^)]*\)", "", first)
    number = re.search(r"\d+(\.\d+)+", stripped) or re.search(r"\d+(\.\d+)+", first)
    return (family, number[0]) if family and number else None


def _path(host: Host) -> str | None:
    words = (host.env("CXX") or "").split()
    # CXX="ccache g++" is common, and `ccache --version` says nothing of the compiler
    wanted = next((word for word in words if word.rpartition("/")[2] not in LAUNCHERS), "")
    if wanted:
        return wanted if "/" in wanted else which(host, wanted)
    return which(host, "g++") or which(host, "c++") or which(host, "clang++")


def begin(host: Host, _target: Target) -> None:
    path = _path(host) if host.system()[0] != "windows" else None
    if path:
        host.start("compiler", [path, "--version"])


def read(host: Host, _target: Target) -> Reading[Compiler]:
    if host.system()[0] == "windows":
        found = which(host, "cl")
        return Known(Compiler("msvc", "unknown", found), source="PATH") if found else Absent(("PATH",))
    path = _path(host)
    if path is None:
        return Absent(("CXX", "PATH"))
    answer = host.finish("compiler", timeout_s(host))
    if not isinstance(answer, Completed):
        return Unknown(f"{path} --version: {answer.reason}")
    parsed = parse_version(answer.stdout)
    if parsed is None:
        return Unknown(f"{path} --version says {answer.stdout[:80]!r}")
    return Known(Compiler(*parsed, path), source=f"{path} --version")


def _gcc(edit: Edit, _key: str, value: str) -> None:
    if value == "none":
        edit.readings["compiler"] = Absent(("what-if",))
        return
    if not re.fullmatch(r"\d+(\.\d+)*", value):
        raise ValueError
    edit.readings["compiler"] = Known(Compiler("gcc", value, "g++"), source="what-if")


PLAIN = Compiler("gcc", "12.2", "g++")
PROBE = Probe(
    "compiler", Compiler, read, begin, plain=PLAIN, what_if=(WhatIf("gcc", "a version such as 12.2, or none", _gcc),)
)
