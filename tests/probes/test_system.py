from __future__ import annotations

import pytest

from attn_doctor.machine.probes.system import PROBE, System, parse_os_release
from support import REFUSED, Described, ask, said, value

DEBIAN = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
HOME_URL="https://www.debian.org/"
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (DEBIAN, "Debian GNU/Linux 12 (bookworm)"),
        ("NAME=Fedora\nVERSION_ID=40\n", "Fedora"),
        ("NAME='Void'\n", "Void"),
        ('PRETTY_NAME="Alpine Linux v3.20"\nHOME_URL="https://a/?b=c"\n', "Alpine Linux v3.20"),
        ("ID=arch\n", None),
        ("", None),
    ],
)
def test_parse_os_release(text: str, name: str | None) -> None:
    assert parse_os_release(text) == name


def test_a_plain_machine() -> None:
    found = value(ask(PROBE, Described({"/etc/os-release": DEBIAN, "/proc/1/cgroup": "0::/init.scope\n"})))
    assert found == System("linux", "x86_64", "6.1.0-28-amd64", "Debian GNU/Linux 12 (bookworm)")


@pytest.mark.parametrize(
    ("release", "wsl"),
    [
        ("5.15.167.4-microsoft-standard-WSL2", True),
        ("4.4.0-19041-Microsoft", True),
        ("6.8.0-48-generic", False),
        ("6.8.0-1018-azure", False),
    ],
)
def test_wsl_is_what_the_kernel_says(release: str, wsl: bool) -> None:
    """F13: a folder or variable that looks like WSL decides nothing."""
    looks_like = {"/usr/lib/wsl/lib/libcuda.so.1": "", "/run/WSL/1_interop": "", "/mnt/c/Windows/": ""}
    machine = Described(looks_like, system=("linux", "x86_64", release), env={"WSL_DISTRO_NAME": "Ubuntu"})
    assert value(ask(PROBE, machine)).wsl is wsl


@pytest.mark.parametrize(
    ("files", "env", "kind"),
    [
        pytest.param({"/.dockerenv": ""}, {}, "docker", id="docker"),
        pytest.param({"/run/.containerenv": 'engine="podman-4.9.3"\n'}, {}, "podman", id="podman"),
        pytest.param({"/.dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, "kubernetes", id="kubernetes"),
        pytest.param({}, {"container": "lxc"}, "lxc", id="lxc"),
        pytest.param(
            {"/proc/1/cgroup": "12:memory:/docker/3601745b3bd54d9780436faa5f0e4f72bb46231663bb99a6bb892764917832c2\n"},
            {},
            "docker",
            id="docker, cgroup v1",
        ),
        pytest.param(
            {"/proc/1/cgroup": "11:cpu,cpuacct:/kubepods/besteffort/pod5d6a6f5e/0a1b\n"}, {}, "kubepods", id="pod"
        ),
        pytest.param({"/proc/1/cgroup": "0::/\n"}, {}, None, id="none"),
        pytest.param({}, {}, None, id="no cgroups"),
        pytest.param({"/proc/1/cgroup": REFUSED}, {}, None, id="not allowed to look"),
    ],
)
def test_container(files: dict[str, str | Exception], env: dict[str, str], kind: str | None) -> None:
    assert value(ask(PROBE, Described(files, env=env))).container == kind


def test_other_systems_are_asked_for_nothing_of_linux() -> None:
    found = value(ask(PROBE, Described({"/.dockerenv": ""}, system=("macos", "aarch64", "24.1.0"))))
    assert found == System("macos", "aarch64", "24.1.0")


SYSCTL = "/usr/sbin/sysctl -in sysctl.proc_translated"


@pytest.mark.parametrize(("printed", "translated"), [("1\n", True), ("0\n", False), ("", False)])
def test_rosetta(printed: str, translated: bool) -> None:
    mac = Described(system=("macos", "x86_64", "24.1.0"), commands={SYSCTL: said(printed)})
    assert value(ask(PROBE, mac)).translated is translated


LIBCUDA = "/usr/lib/x86_64-linux-gnu/libcuda.so.1"
WSL = ("linux", "x86_64", "5.15.167.4-microsoft-standard-WSL2")


@pytest.mark.parametrize(
    ("system", "real", "env", "found"),
    [
        (WSL, "/usr/lib/x86_64-linux-gnu/libcuda.so.550.144.03", {}, True),
        (WSL, "/usr/lib/wsl/lib/libcuda.so.1.1", {}, False),
        (WSL, "/usr/lib/x86_64-linux-gnu/libcuda.so.550.144.03", {"container": "podman"}, False),
        (("linux", "x86_64", "6.8.0-48-generic"), "/usr/lib/x86_64-linux-gnu/libcuda.so.550.144.03", {}, False),
    ],
    ids=["a Linux driver inside WSL", "the one of WSL", "a container in WSL", "plain Linux"],
)
def test_a_linux_driver_inside_wsl(system: tuple[str, str, str], real: str, env: dict[str, str], found: bool) -> None:
    machine = Described({real: ""}, links={LIBCUDA: real}, system=system, env=env)
    assert value(ask(PROBE, machine)).linux_libcuda == (real if found else None)
