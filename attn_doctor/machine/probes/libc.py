"""The C library and its version: what compiled wheels are linked against."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.machine.facts import Absent, Known, Reading, Unknown
from attn_doctor.machine.host import Completed, Host, run
from attn_doctor.machine.probe import TIMEOUT_S, Edit, Probe, WhatIf
from attn_doctor.machine.target import Target


class Libc(msgspec.Struct, frozen=True):
    """glibc or musl."""

    family: str
    version: str


def parse_confstr(text: str) -> Libc | None:
    """'glibc 2.36'."""
    family, _, version = text.partition(" ")
    return Libc("glibc", version.strip()) if family == "glibc" and version[:1].isdigit() else None


def parse_musl(text: str) -> Libc | None:
    """What the musl loader prints on standard error: 'musl libc (x86_64)' and 'Version 1.2.4'."""
    lines = text.splitlines()
    version = next((line.split()[1] for line in lines if line.startswith("Version ") and len(line.split()) > 1), None)
    return Libc("musl", version) if version and any(line.startswith("musl libc") for line in lines) else None


def read(host: Host, _target: Target) -> Reading[Libc]:
    if host.system()[0] != "linux":
        return Absent(("not Linux",))
    stated = host.confstr("CS_GNU_LIBC_VERSION")
    if stated and (glibc := parse_confstr(stated)):
        return Known(glibc, source="confstr CS_GNU_LIBC_VERSION")
    loader = next((name for name in host.list_dir("/lib") if name.startswith("ld-musl-")), None)
    if loader is None:
        return Unknown("neither glibc's confstr nor a musl loader in /lib")
    answer = run(host, [f"/lib/{loader}", "--version"], TIMEOUT_S)
    found = parse_musl(answer.stderr) if isinstance(answer, Completed) else None
    return Known(found, source=f"/lib/{loader}") if found else Unknown(f"/lib/{loader} does not say its version")


def _set(edit: Edit, _key: str, value: str) -> None:
    family, _, version = value.partition("-")
    if family not in ("glibc", "musl") or not re.fullmatch(r"\d+(\.\d+)+", version):
        raise ValueError
    edit.readings["libc"] = Known(Libc(family, version), source="what-if")


PROBE = Probe(
    "libc", Libc, read, plain=Libc("glibc", "2.35"), what_if=(WhatIf("libc", "glibc-2.35 or musl-1.2", _set),)
)
