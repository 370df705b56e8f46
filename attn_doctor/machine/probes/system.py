"""Operating system, architecture, distribution, WSL and container."""

from __future__ import annotations

import msgspec

from attn_doctor.machine.facts import Known, Reading
from attn_doctor.machine.host import CannotLook, Completed, Host, run
from attn_doctor.machine.probe import TIMEOUT_S, Edit, Probe, WhatIf
from attn_doctor.machine.target import Target

OS_RELEASE = "/etc/os-release"
CGROUP = "/proc/1/cgroup"
WSL_FOLDER = "/usr/lib/wsl/"
DISTRIBUTION_LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
DRIVER_DIGITS = 3  # of a driver's first number: 550
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
    translated: bool = False  # an x86_64 interpreter under Rosetta on Apple silicon
    linux_libcuda: str | None = None  # in WSL: the libcuda of a Linux driver beside the one that Windows brings


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
        return Known(System(os, arch, release, translated=_translated(host, os, arch)), source="the interpreter")
    distribution = parse_os_release(host.read_text(OS_RELEASE) or "")
    wsl = "microsoft" in release.lower()  # WSL1 says Microsoft, WSL2 microsoft-standard-WSL2
    inside = container(host)
    # NVIDIA's container runtime puts libcuda among the distribution's libraries, in WSL as anywhere
    libcuda = _linux_libcuda(host) if wsl and not inside else None
    return Known(
        System(os, arch, release, distribution, wsl, inside, linux_libcuda=libcuda), source=f"uname, {OS_RELEASE}"
    )


def _translated(host: Host, os: str, arch: str) -> bool:
    """Whether Rosetta translates this very process; only an x86_64 one can be."""
    if (os, arch) != ("macos", "x86_64"):
        return False
    answer = run(host, ["/usr/sbin/sysctl", "-in", "sysctl.proc_translated"], TIMEOUT_S)
    return isinstance(answer, Completed) and answer.stdout.strip() == "1"


def _linux_libcuda(host: Host) -> str | None:
    """A libcuda of a Linux driver: its real file carries the driver's version, that of WSL is libcuda.so.1.1."""
    for folder in DISTRIBUTION_LIBRARIES:
        real = host.real_path(f"{folder}/libcuda.so.1")
        version = real.rpartition("/libcuda.so.")[2]
        if len(version.partition(".")[0]) >= DRIVER_DIGITS and not real.startswith(WSL_FOLDER):
            return real
    return None


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
    plain=System("linux", "x86_64"),
    what_if=(
        WhatIf("os", "linux, windows or macos", _os, rank=0),
        WhatIf("arch", "x86_64 or aarch64", _arch, rank=0),
        WhatIf("wsl", "true or false", _wsl),
        WhatIf("container", "true or false", _container),
    ),
)
