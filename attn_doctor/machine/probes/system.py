"""Operating system, architecture, distribution, WSL and container."""

from __future__ import annotations

import msgspec

from attn_doctor.machine.facts import Known, Reading
from attn_doctor.machine.host import CannotLook, Host
from attn_doctor.machine.probe import Edit, Probe, WhatIf
from attn_doctor.machine.target import Target

OS_RELEASE = "/etc/os-release"
CGROUP = "/proc/1/cgroup"
OSES = ("linux", "windows", "macos")
ARCHES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


class System(msgspec.Struct, frozen=True):
    """What the processes here run on."""

    os: str  # linux, windows, macos
    arch: str  # x86_64, aarch64
    release: str | None = None  # of the kernel
    distribution: str | None = None
    wsl: bool = False
    container: str | None = None  # docker, podman, kubernetes, lxc ...


def parse_os_release(text: str) -> str | None:
    """'Debian GNU/Linux 12 (bookworm)' from the lines of os-release."""
    settings = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    name = settings.get("PRETTY_NAME") or settings.get("NAME")
    return name.strip("\"'") if name else None


def container(host: Host) -> str | None:
    """Which kind of container this is; None on a plain machine."""
    if host.env("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    if host.is_file("/.dockerenv"):
        return "docker"
    if host.is_file("/run/.containerenv"):
        return "podman"
    if host.env("container"):
        return host.env("container")
    try:
        groups = host.read_text(CGROUP) or ""
    except CannotLook:  # hidepid: nothing else of the system is in doubt for it
        groups = ""
    return next((kind for kind in ("kubepods", "docker", "libpod", "lxc") if f"/{kind}" in groups), None)


def read(host: Host, _target: Target) -> Reading[System]:
    os, arch, release = host.system()
    if os != "linux":
        return Known(System(os, arch, release), source="the interpreter")
    distribution = parse_os_release(host.read_text(OS_RELEASE) or "")
    wsl = "microsoft" in release.lower()  # WSL1 says Microsoft, WSL2 microsoft-standard-WSL2
    return Known(System(os, arch, release, distribution, wsl, container(host)), source=f"uname, {OS_RELEASE}")


def change(edit: Edit, **values: object) -> None:
    """Set fields of the system being imagined."""
    reading = edit.readings.get("system")
    old = reading.value if isinstance(reading, Known) else System("linux", "x86_64")
    edit.readings["system"] = Known(msgspec.structs.replace(old, **values), source="what-if")


def _os(edit: Edit, _key: str, value: str) -> None:
    if value not in OSES:
        raise ValueError
    change(edit, os=value, release=None, distribution=None)
    if edit.simulated and value != "linux":
        # the plain machine that `simulate` starts from is a Linux one: its libc and gcc stay behind
        from attn_doctor.machine.facts import Absent

        edit.readings["libc"] = Absent(("simulate",))
        edit.readings["compiler"] = Absent(("simulate",))


def _arch(edit: Edit, _key: str, value: str) -> None:
    if value.lower() not in ARCHES:
        raise ValueError
    change(edit, arch=ARCHES[value.lower()])


def boolean(value: str) -> bool:
    """'true' or 'false'; anything else is a ValueError."""
    if value.lower() not in ("true", "false"):
        raise ValueError
    return value.lower() == "true"


def _wsl(edit: Edit, _key: str, value: str) -> None:
    change(edit, wsl=boolean(value))


def _container(edit: Edit, _key: str, value: str) -> None:
    change(edit, container="docker" if boolean(value) else None)


PROBE = Probe(
    "system",
    System,
    read,
    what_if=(
        WhatIf("os", "linux, windows or macos", _os, rank=0),
        WhatIf("arch", "x86_64 or aarch64", _arch, rank=0),
        WhatIf("wsl", "true or false", _wsl),
        WhatIf("container", "true or false", _container),
    ),
)
