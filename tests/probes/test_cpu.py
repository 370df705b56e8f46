from __future__ import annotations

import pytest

from attn_doctor.machine.probes.cpu import PROBE, parse_quota
from support import Described, ask, value

V2 = "/sys/fs/cgroup/cpu.max"
V1 = "/sys/fs/cgroup/cpu/cpu.cfs_"


@pytest.mark.parametrize(
    ("quota", "period", "cores"),
    [
        ("400000", "100000", 4),
        ("150000", "100000", 2),
        ("50000", "100000", 1),
        ("max", "100000", None),
        ("-1", "100000", None),
        ("0", "100000", None),
        ("100000", "0", None),
        ("", "", None),
        ("much", "100000", None),
    ],
)
def test_parse_quota(quota: str, period: str, cores: int | None) -> None:
    assert parse_quota(quota, period) == cores


@pytest.mark.parametrize(
    ("files", "cores", "source"),
    [
        pytest.param({}, 8, "affinity", id="no cgroup"),
        pytest.param({V2: "max 100000\n"}, 8, "affinity", id="v2, no limit"),
        pytest.param({V2: "250000 100000\n"}, 3, "quota", id="v2"),
        pytest.param({V2: "3200000 100000\n"}, 8, "affinity", id="v2, more than there are"),
        pytest.param({V1 + "quota_us": "-1\n", V1 + "period_us": "100000\n"}, 8, "affinity", id="v1, no limit"),
        pytest.param({V1 + "quota_us": "200000\n", V1 + "period_us": "100000\n"}, 2, "quota", id="v1"),
        pytest.param({V2: "\n"}, 8, "affinity", id="empty"),
        pytest.param({V2: "???\n"}, 8, "affinity", id="not understood"),
    ],
)
def test_quota(files: dict[str, str | Exception], cores: int, source: str) -> None:
    reading = ask(PROBE, Described(files))
    assert value(reading).cores == cores
    assert source in reading.source


def test_no_cgroups_outside_linux() -> None:
    mac = Described({V2: "100000 100000\n"}, system=("macos", "aarch64", "24.1.0"), cores=10)
    assert value(ask(PROBE, mac)).cores == 10
