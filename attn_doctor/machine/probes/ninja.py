"""ninja: without it an extension compiles one file at a time."""

from __future__ import annotations

import msgspec

from attn_doctor.machine.facts import Absent, Known, Reading
from attn_doctor.machine.host import Host, join, which
from attn_doctor.machine.probe import Edit, Probe, WhatIf
from attn_doctor.machine.probes.system import boolean
from attn_doctor.machine.target import Target, distributions


class Ninja(msgspec.Struct, frozen=True):
    """A ninja that a build in the target finds; the version where it is the target's package."""

    path: str
    version: str | None = None


def read(host: Host, target: Target) -> Reading[Ninja]:
    package = distributions(host, target).get("ninja")
    if package:
        return Known(Ninja(join(target.prefix, "bin/ninja"), package.version), source=package.metadata)
    path = which(host, "ninja")
    if path:
        return Known(Ninja(path), source="PATH")
    return Absent(("PATH", *target.site_packages))


def _set(edit: Edit, _key: str, value: str) -> None:
    there = boolean(value)
    edit.readings["ninja"] = Known(Ninja("ninja"), source="what-if") if there else Absent(("what-if",))


PROBE = Probe("ninja", Ninja, read, plain=Ninja("ninja"), what_if=(WhatIf("ninja", "true or false", _set),))
