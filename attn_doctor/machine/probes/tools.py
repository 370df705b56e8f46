"""Installers and container runtimes on PATH."""

from __future__ import annotations

import msgspec

from attn_doctor.machine.facts import Known, Reading
from attn_doctor.machine.host import Host, which
from attn_doctor.machine.probe import Probe
from attn_doctor.machine.target import Target, distributions

LOOKED_FOR = ("conda", "docker", "mamba", "micromamba", "nvidia-ctk", "pixi", "podman", "poetry", "uv")


class Tools(msgspec.Struct, frozen=True):
    """Name to path of what was found; `pip` is the target's own and has its version in place of a path."""

    found: dict[str, str]


def read(host: Host, target: Target) -> Reading[Tools]:
    found = {name: path for name in LOOKED_FOR if (path := which(host, name))}
    pip = distributions(host, target).get("pip")
    if pip:
        found["pip"] = pip.version
    return Known(Tools(dict(sorted(found.items()))), source="PATH and the target")


PROBE = Probe("tools", Tools, read, plain=Tools({}))
