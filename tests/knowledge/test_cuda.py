"""Spot values of the CUDA table, and what its accessors do with odd versions."""

from __future__ import annotations

import re

import pytest

from attn_doctor.knowledge import cuda
from attn_doctor.knowledge.versions import numbers

HOSTILE = ("", " ", "abc", "-1", "12", "12.", "12.x", "99.9", "0", "9" * 100, "\0", "12.8\n", "١٢.٨", "550.144.03-beta")


@pytest.mark.parametrize(
    ("version", "os", "floor"),
    [
        ("11.8", "linux", "450.80.02"),
        ("11.0", "windows", "452.39"),
        ("12.8", "linux", "525.60.13"),
        ("12.0", "windows", "527.41"),
        ("12", "linux", "525.60.13"),
        ("13.2", "linux", "580"),
        ("13.0", "windows", "580"),
        ("14.0", "linux", None),
        ("10.2", "linux", None),
    ],
)
def test_driver_floor_is_of_the_major(version: str, os: str, floor: str | None) -> None:
    assert cuda.driver_floor(version, os) == floor


@pytest.mark.parametrize(
    ("version", "os", "driver"),
    [
        ("12.8", "linux", "570.26"),
        ("12.8.1", "linux", "570.124.06"),
        ("12.8.93", "linux", "570.26"),
        ("12.4", "windows", "551.61"),
        ("12.4.9", "windows", "551.78"),
        ("13.0", "windows", "580"),
        ("13.4", "linux", "615.71.09"),
        ("13.5", "linux", None),
        ("12.11", "linux", None),
    ],
)
def test_toolkit_driver(version: str, os: str, driver: str | None) -> None:
    assert cuda.toolkit_driver(version, os) == driver


@pytest.mark.parametrize(
    ("driver", "os", "version"),
    [
        ("580.65.06", "linux", "13.0"),
        ("570.124.06", "linux", "12.8"),
        ("565.57.01", "linux", "12.7"),
        ("550.144.03", "linux", "12.4"),
        ("535.104.05", "linux", "12.2"),
        ("525.60.13", "linux", "12.0"),
        ("470.256.02", "linux", "11.4"),
        ("555.99", "windows", "12.5"),
        ("555.99", "linux", "12.5"),
        ("576.02", "windows", "12.9"),
        ("580.88", "windows", "13.0"),
        ("591.86", "windows", "13.1"),
        ("615.71.09", "linux", "13.4"),
        ("700.1", "linux", "13.4"),
        ("440.33", "linux", None),
    ],
)
def test_cuda_of_driver_is_what_nvidia_smi_prints(driver: str, os: str, version: str | None) -> None:
    assert cuda.cuda_of_driver(driver, os) == version


def test_a_newer_driver_never_offers_less() -> None:
    for os in ("linux", "windows"):
        drivers = sorted({row.linux for row in cuda.table().toolkits}, key=numbers)
        offered = [numbers(cuda.cuda_of_driver(driver, os) or "") for driver in drivers]
        assert offered == sorted(offered)


def test_newest() -> None:
    assert cuda.newest() == "13.5"
    assert cuda.newest_driver("linux") == "615.71.09"
    assert cuda.newest_driver("windows") == "615.71.09"
    assert cuda.source("13.0", "floor")
    assert cuda.source("12.8", "toolkit")
    assert cuda.source("12.8", "nvcc")
    assert cuda.source("99.9", "nvcc") is None


def test_versions_are_compared_as_numbers() -> None:
    assert numbers("12.10") > numbers("12.9")
    assert cuda.max_gcc("12.80") is None


@pytest.mark.parametrize(
    ("version", "oldest", "newest"),
    [("11.8", 6, 11), ("12.1", 6, 12), ("12.4", 6, 13), ("12.6.3", 6, 13), ("12.8", 6, 14), ("13.0", 6, 15)],
)
def test_host_gcc(version: str, oldest: int, newest: int) -> None:
    assert cuda.min_gcc(version) == oldest
    assert cuda.max_gcc(version) == newest


def test_the_newest_compilers_accept_gcc_16() -> None:
    assert cuda.max_gcc("13.4") == 16
    assert cuda.min_gcc("13.4") is None
    assert cuda.max_gcc("13.3") == 15


def test_nvcc_archs() -> None:
    assert "sm_90a" not in (cuda.nvcc_archs("11.8") or ())
    assert "sm_90a" in (cuda.nvcc_archs("12.4") or ())
    assert "sm_100" not in (cuda.nvcc_archs("12.6") or ())
    assert "sm_120" in (cuda.nvcc_archs("12.8") or ())
    assert "sm_103" not in (cuda.nvcc_archs("12.8") or ())
    assert "sm_121" in (cuda.nvcc_archs("12.9") or ())
    assert "sm_70" not in (cuda.nvcc_archs("13.0") or ())
    assert "sm_107" in (cuda.nvcc_archs("13.4") or ())
    assert "sm_121f" in (cuda.nvcc_archs("13.3") or ())
    assert cuda.nvcc_archs("13.9") is None


def test_every_row_has_a_source_and_a_date() -> None:
    table = cuda.table()
    rows: list[cuda.Major | cuda.Toolkit | cuda.Nvcc] = [*table.majors, *table.toolkits, *table.nvcc]
    for row in rows:
        assert row.source
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", row.as_of)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("os", ["linux", "windows", "plan9", ""])
def test_hostile_input_is_survived(text: str, os: str) -> None:
    cuda.driver_floor(text, os)
    cuda.toolkit_driver(text, os)
    cuda.cuda_of_driver(text, os)
    cuda.newest_driver(os)
    cuda.max_gcc(text)
    cuda.min_gcc(text)
    cuda.nvcc_archs(text)
