"""Spot values of the torch table, its shape, and what its accessors do with odd versions."""

from __future__ import annotations

import re

import msgspec
import pytest

from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.versions import numbers

VENDOR = "2.8.0a0+34c6371d24.nv25.08"
HOSTILE = ("", " ", "+", "abc", "2", "2.", "2.x.y", "-1", "2.8.0.0.0.0", "٢.٨", "2.8.0+", "9" * 100, "\0", "2.8.0\n")
PLATFORMS = (
    ("linux", "x86_64"),
    ("linux", "aarch64"),
    ("windows", "x86_64"),
    ("macos", "aarch64"),
    ("macos", "x86_64"),
    ("plan9", ""),
)


def archs(torch: str, cuda: str, os: str = "linux", arch: str = "x86_64") -> tuple[str, ...]:
    found = torch_builds.arch_list(torch, cuda, os, arch)
    assert found is not None
    return found[0]


@pytest.mark.parametrize(
    ("torch", "cuda"),
    [
        ("1.13.1", "11.7"),
        ("2.3.1", "12.1"),
        ("2.5.1", "12.4"),
        ("2.6.0", "12.4"),
        ("2.7.1", "12.6"),
        ("2.8.0", "12.8"),
        ("2.10.0", "12.8"),
        ("2.11.0", "13.0"),
        ("2.14.1", "13.0"),
        ("2.15.0", "13.2"),
        ("2.8.7", "12.8"),
        ("2.99.0", None),
    ],
)
def test_pypi_carries_one_cuda_for_linux(torch: str, cuda: str | None) -> None:
    assert torch_builds.default_cuda(torch, "linux", "x86_64") == cuda


def test_pypi_carries_a_cpu_build_elsewhere() -> None:
    assert torch_builds.default_cuda("2.11.0", "windows", "x86_64") is None
    assert torch_builds.default_cuda("2.11.0", "macos", "aarch64") is None


def test_pypi_carries_cuda_for_aarch64_since_2_11() -> None:
    assert torch_builds.default_cuda("2.10.0", "linux", "aarch64") is None
    assert torch_builds.default_cuda("2.11.0", "linux", "aarch64") == "13.0"
    assert torch_builds.default_cuda("2.15.0", "linux", "aarch64") == "13.2"


def test_newest_and_known() -> None:
    assert torch_builds.newest() == "2.15.0"
    assert torch_builds.known("2.8.0+cu128")
    assert torch_builds.known(VENDOR)
    assert not torch_builds.known("2.99.0")
    assert not torch_builds.known("")


def test_architectures_of_linux_builds() -> None:
    assert "sm_70" in archs("2.9.1+cu128", "12.8")
    assert "sm_89" not in archs("2.9.1+cu128", "12.8")
    assert "sm_70" not in archs("2.11.0+cu128", "12.8")
    assert "sm_120" not in archs("2.5.1+cu124", "12.4")
    assert "sm_37" in archs("2.6.0+cu118", "11.8")
    assert "sm_50" in archs("2.14.0+cu126", "12.6")


def test_cu128_of_2_7_has_no_volta_but_ptx() -> None:
    assert archs("2.7.1+cu128", "12.8")[0] == "sm_75"
    assert archs("2.7.1+cu128", "12.8")[-1] == "compute_120"
    assert archs("2.8.0+cu128", "12.8")[0] == "sm_70"


def test_windows_builds_differ_from_linux() -> None:
    assert "sm_50" in archs("2.7.1+cu126", "12.6", "windows")
    assert archs("2.8.0+cu126", "12.6", "windows")[0] == "sm_61"
    assert "sm_50" in archs("2.9.0+cu126", "12.6", "windows")
    assert "compute_120" not in archs("2.9.1+cu130", "13.0", "windows")


def test_aarch64_builds_have_thor_and_no_turing() -> None:
    found = archs("2.15.0", "13.2", "linux", "aarch64")
    assert "sm_110" in found
    assert "sm_75" not in found


@pytest.mark.parametrize(
    ("torch", "cuda"),
    [
        (VENDOR, "12.8"),
        ("2.8.0.dev20250601+cu128", "12.8"),
        ("2.8.0rc1", "12.8"),
        ("2.8.0+rocm6.4", "12.8"),
        ("2.8.0+cu126", "12.8"),
        ("2.8.0", "11.4"),
        ("2.8.0+cpu", None),
        ("2.99.0", "12.8"),
    ],
)
def test_no_architectures_where_not_established(torch: str, cuda: str | None) -> None:
    assert torch_builds.arch_list(torch, cuda, "linux", "x86_64") is None


@pytest.mark.parametrize(
    ("torch", "cuda", "os", "arch", "abi"),
    [
        ("2.5.1", "12.4", "linux", "x86_64", False),
        ("2.5.1+cpu", None, "linux", "x86_64", False),
        ("2.5.1+cpu.cxx11.abi", None, "linux", "x86_64", True),
        ("2.5.1+rocm6.2", None, "linux", "x86_64", False),
        ("2.6.0", "12.4", "linux", "x86_64", False),
        ("2.6.0+cu118", "11.8", "linux", "x86_64", False),
        ("2.6.0+cpu", None, "linux", "x86_64", False),
        ("2.6.0+cu126", "12.6", "linux", "x86_64", True),
        ("2.6.0+rocm6.2.4", None, "linux", "x86_64", True),
        ("2.6.0", None, "linux", "aarch64", True),
        ("2.7.0", "12.6", "linux", "x86_64", True),
        ("2.99.0", "13.0", "linux", "x86_64", True),
        ("2.7.0", "12.6", "windows", "x86_64", False),
        ("2.7.0", None, "macos", "aarch64", None),
        (VENDOR, "12.9", "linux", "x86_64", True),
        ("2.4.0a0+3bcc3cddb5.nv24.07", "12.5", "linux", "x86_64", True),
        ("2.6.0.dev20241101+cu124", "12.4", "linux", "x86_64", None),
        ("2.9.0.dev20250901+cu128", "12.8", "linux", "x86_64", True),
    ],
)
def test_cxx11abi(torch: str, cuda: str | None, os: str, arch: str, abi: bool | None) -> None:
    assert torch_builds.cxx11abi(torch, cuda, os, arch) is abi


def test_builds_are_ordered_newest_first() -> None:
    found = torch_builds.builds("linux", "x86_64")
    assert found[0].torch == "2.15.0"
    assert [build.variant for build in found if build.torch == "2.10.0"] == ["cu130", "cu129", "cu128", "cu126", "cpu"]
    keys = [(numbers(build.torch), numbers(build.cuda or "")) for build in found]
    assert keys == sorted(keys, reverse=True)


def test_one_build_of_each_torch_is_on_pypi_at_most() -> None:
    for os, arch in PLATFORMS:
        versions = [build.torch for build in torch_builds.builds(os, arch) if build.on_pypi]
        assert len(versions) == len(set(versions)), (os, arch)


def test_every_pypi_default_is_an_index_variant() -> None:
    on_pypi = {build.torch: build for build in torch_builds.builds("linux", "x86_64") if build.on_pypi}
    assert set(on_pypi) == {release.torch for release in torch_builds.table().releases}
    assert on_pypi["2.8.0"].wheel_bytes == 887913624
    assert on_pypi["2.8.0"].index_url == "https://download.pytorch.org/whl/cu128"


def test_pypi_has_a_cpu_build_for_windows() -> None:
    (build,) = [build for build in torch_builds.builds("windows", "x86_64") if build.torch == "2.9.1" and build.on_pypi]
    assert build.variant == "cpu"


def test_every_linux_cuda_build_has_architectures() -> None:
    without = [
        (build.torch, build.variant)
        for build in torch_builds.builds("linux", "x86_64")
        if build.cuda is not None and build.arch_list is None
    ]
    assert without == []


def test_python_tags() -> None:
    found = {build.torch: build.python_tags or () for build in torch_builds.builds("linux", "x86_64")}
    assert found["2.6.0"] == ("cp39", "cp310", "cp311", "cp312", "cp313")
    assert "cp313t" in found["2.12.0"]
    assert "cp313t" not in found["2.12.1"]
    assert "cp310" not in found["2.15.0"]
    assert "cp315t" in found["2.15.0"]


def test_pins() -> None:
    pins = torch_builds.pins("2.7.1+cu128")
    assert pins is not None
    assert (pins.torchvision, pins.torchaudio, pins.triton, pins.cudnn) == ("0.22.1", "2.7.1", "3.3.1", "9.5.1.17")
    assert pins.xformers == ("0.0.31.post1", "0.0.31")
    assert torch_builds.pins("2.99.0") is None


def test_cxx_standard() -> None:
    assert (torch_builds.cxx_default("2.11.0"), torch_builds.cxx_required("2.11.0")) == (17, 17)
    assert (torch_builds.cxx_default("2.13.0"), torch_builds.cxx_required("2.13.0")) == (20, 17)
    assert (torch_builds.cxx_default("2.14.1"), torch_builds.cxx_required("2.14.1")) == (20, 20)
    assert torch_builds.cxx_default("x") is None
    assert torch_builds.cxx_required("x") is None


def test_every_row_has_a_source_and_a_date() -> None:
    table = torch_builds.table()
    rows: list[torch_builds.Release | torch_builds.Span] = [*table.releases, *table.index, *table.archs, *table.abi]
    for row in rows:
        assert row.source
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", row.as_of)


def test_no_two_rows_answer_the_same_question() -> None:
    asked = [
        (platform, row.cuda, minor)
        for row in torch_builds.table().archs
        for platform in row.platform.split()
        for minor in range(int(row.first.split(".")[1]), int((row.last or row.first).split(".")[1]) + 1)
    ]
    assert len(asked) == len(set(asked))


def test_architectures_are_well_formed_and_rising() -> None:
    for row in torch_builds.table().archs:
        names = row.archs.split()
        assert all(re.fullmatch(r"(sm|compute)_\d{2,3}", name) for name in names), row
        cubins = [int(name.removeprefix("sm_")) for name in names if name.startswith("sm_")]
        assert cubins == sorted(set(cubins)), row


@pytest.mark.parametrize("torch", [*HOSTILE, VENDOR])
@pytest.mark.parametrize("cuda", [*HOSTILE, None, "12.8"])
def test_hostile_input_is_survived(torch: str, cuda: str | None) -> None:
    for os, arch in PLATFORMS:
        torch_builds.default_cuda(torch, os, arch)
        torch_builds.arch_list(torch, cuda, os, arch)
        torch_builds.cxx11abi(torch, cuda, os, arch)
    torch_builds.known(torch)
    torch_builds.pins(torch)
    torch_builds.cuda_of_variant(torch)


def test_unknown_platform_has_no_builds() -> None:
    assert torch_builds.builds("plan9", "") == ()


def test_builds_are_plain_values() -> None:
    build = torch_builds.builds("linux", "aarch64")[0]
    assert msgspec.convert(msgspec.to_builtins(build), torch_builds.Build) == build
