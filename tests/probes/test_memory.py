from __future__ import annotations

import pytest

from attn_doctor.machine.facts import Unknown
from attn_doctor.machine.probes.memory import (
    GIB,
    PROBE,
    Memory,
    cgroup_folders,
    parse_meminfo,
    parse_size,
    rounded,
)
from support import Described, ask, value

MEMINFO = """MemTotal:       65706276 kB
MemFree:        53231104 kB
MemAvailable:   61341696 kB
Buffers:          512340 kB
HugePages_Total:       0
Hugepagesize:       2048 kB
"""
TOTAL = 65706276 * 1024
AVAILABLE = 58 * GIB  # 61341696 kB is 58.5 GiB
V2 = "/sys/fs/cgroup"
V1 = "/sys/fs/cgroup/memory"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MEMINFO, (TOTAL, 61341696 * 1024)),
        ("MemTotal: 1024 kB\nMemFree: 512 kB\n", (1024 * 1024, 512 * 1024)),
        ("MemTotal: 1024 kB\n", (1024 * 1024, 0)),
        ("MemFree: 512 kB\n", None),
        ("MemTotal: lots\n", None),
        ("", None),
    ],
)
def test_parse_meminfo(text: str, expected: tuple[int, int] | None) -> None:
    assert parse_meminfo(text) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, 0), (GIB // 8 - 1, 0), (GIB // 8, GIB // 8), (4 * GIB - 1, 4 * GIB - GIB // 8), (9 * GIB + 5, 9 * GIB)],
)
def test_rounded(count: int, expected: int) -> None:
    assert rounded(count) == expected


def test_cgroup_folders() -> None:
    v1 = "9:name=systemd:/\n4:memory:/docker/ab12\n0::/\n"
    assert cgroup_folders(v1) == (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        [f"{V1}/docker/ab12", f"{V1}/docker", V1],
    )
    assert cgroup_folders("0::/user.slice/app.scope\n") == (
        "memory.max",
        "memory.current",
        [f"{V2}/user.slice/app.scope", f"{V2}/user.slice", V2],
    )
    assert cgroup_folders("4:memory,hugetlb:/\n")[2] == [V1]
    assert cgroup_folders("0::/../../other\n")[2] == [f"{V2}/other", V2]
    assert cgroup_folders("") == ("memory.max", "memory.current", [V2])


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        pytest.param("", {}, Memory(TOTAL, AVAILABLE), id="no cgroup"),
        pytest.param("0::/\n", {f"{V2}/memory.max": "max\n"}, Memory(TOTAL, AVAILABLE), id="v2, no limit"),
        pytest.param(
            "0::/\n",
            {f"{V2}/memory.max": f"{16 * GIB}\n", f"{V2}/memory.current": f"{GIB}\n"},
            Memory(TOTAL, 15 * GIB, 16 * GIB),
            id="v2",
        ),
        pytest.param(
            "0::/a/b\n",
            {
                f"{V2}/a/b/memory.max": "max\n",
                f"{V2}/a/memory.max": f"{8 * GIB}\n",
                f"{V2}/a/memory.current": f"{2 * GIB}\n",
                f"{V2}/memory.max": f"{32 * GIB}\n",
            },
            Memory(TOTAL, 6 * GIB, 8 * GIB),
            id="v2, the limit of a parent",
        ),
        pytest.param(
            "0::/a\n",
            {f"{V2}/a/memory.max": f"{32 * GIB}\n", f"{V2}/memory.max": f"{8 * GIB}\n"},
            Memory(TOTAL, 8 * GIB, 8 * GIB),
            id="v2, a parent that is tighter",
        ),
        pytest.param(
            "4:memory:/docker/ab\n0::/\n",
            {f"{V1}/memory.limit_in_bytes": f"{4 * GIB}\n", f"{V1}/memory.usage_in_bytes": f"{GIB}\n"},
            Memory(TOTAL, 3 * GIB, 4 * GIB),
            id="v1, as a container sees its own",
        ),
        pytest.param(
            "4:memory:/\n",
            {f"{V1}/memory.limit_in_bytes": "9223372036854771712\n"},
            Memory(TOTAL, AVAILABLE),
            id="v1, no limit",
        ),
        pytest.param(
            "0::/\n", {f"{V2}/memory.max": f"{TOTAL + 1}\n"}, Memory(TOTAL, AVAILABLE), id="a limit above what there is"
        ),
        pytest.param(
            "0::/\n",
            {f"{V2}/memory.max": f"{GIB}\n", f"{V2}/memory.current": f"{2 * GIB}\n"},
            Memory(TOTAL, 0, GIB),
            id="more used than allowed",
        ),
        pytest.param("0::/\n", {f"{V2}/memory.max": "?\n"}, Memory(TOTAL, AVAILABLE), id="not understood"),
    ],
)
def test_read(cgroup: str, files: dict[str, str | Exception], expected: Memory) -> None:
    machine = Described({"/proc/meminfo": MEMINFO, "/proc/self/cgroup": cgroup} | files)
    assert value(ask(PROBE, machine)) == expected


@pytest.mark.parametrize("text", ["", "nothing of it\n"])
def test_a_meminfo_without_a_total_is_unknown(text: str) -> None:
    assert isinstance(ask(PROBE, Described({"/proc/meminfo": text})), Unknown)


def test_other_systems_are_asked_otherwise() -> None:
    mac = Described(system=("macos", "aarch64", "24.1.0"), memory=(16 * GIB, 9 * GIB + 1))
    assert value(ask(PROBE, mac)) == Memory(16 * GIB, 9 * GIB)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16GiB", 16 * GIB),
        ("16 GiB", 16 * GIB),
        ("512MiB", 512 << 20),
        ("1.5TiB", 1536 * GIB),
        ("16GB", 16 * 10**9),
        ("16g", 16 * GIB),
        ("4096KiB", 4096 << 10),
        ("0GiB", 0),
    ],
)
def test_parse_size(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize(
    "text", ["", "16", "GiB", "\uff11GiB", "-1GiB", "nanGiB", "infGiB", "16XiB", "16 GiB or so", "9999999TiB", "1e400"]
)
def test_parse_size_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)
