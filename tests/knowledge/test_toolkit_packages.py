from __future__ import annotations

import pytest

from attn_doctor.knowledge import toolkit_packages
from attn_doctor.knowledge.versions import numbers

ARCHES = ("x86_64", "aarch64")


@pytest.mark.parametrize("arch", ARCHES)
def test_every_cuda_that_torch_was_built_with_can_be_had(arch: str) -> None:
    minors = toolkit_packages.minors(arch)
    assert {"11.8", "12.1", "12.4", "12.6", "12.8", "12.9", "13.0"} <= set(minors)
    assert list(minors) == sorted(minors, key=numbers)
    assert "12.7" not in minors  # there never was one


def test_what_is_not_there_is_none() -> None:
    assert toolkit_packages.wheels("12.8", "x86_64") is None
    assert toolkit_packages.wheels("13.0", "riscv64") is None
    assert toolkit_packages.conda("12.7", "x86_64") is None
    assert toolkit_packages.runfile("12.7", "x86_64") is None
    assert toolkit_packages.repository("Ubuntu 22.04", "riscv64") is None
    assert toolkit_packages.repository("", "x86_64") is None


def test_a_major_has_wheels_or_a_word_why_not() -> None:
    for minor in toolkit_packages.minors("x86_64"):
        assert (toolkit_packages.wheels(minor, "x86_64") is None) is bool(toolkit_packages.without_compiler(minor))


def test_repositories_are_told_apart_by_the_release() -> None:
    found = toolkit_packages.repository("Ubuntu 24.04.1 LTS", "aarch64")
    assert found
    assert (found.name, found.tool) == ("ubuntu2404", "apt")
    assert toolkit_packages.repository("Ubuntu 2", "x86_64") is None


@pytest.mark.parametrize(("arch", "end"), [("x86_64", "_linux.run"), ("aarch64", "_linux_sbsa.run")])
def test_a_runfile_is_named_for_its_release(arch: str, end: str) -> None:
    for row in toolkit_packages.table().runfiles:
        assert row.files[arch].name.endswith(end)
        assert row.files[arch].name.startswith(f"cuda_{row.release}_")
        assert row.release.startswith(f"{row.cuda}.")


def test_the_wheels_of_one_row_are_of_one_cuda() -> None:
    for row in toolkit_packages.table().wheels:
        names = [package.partition("==")[0] for package in row.packages]
        assert names == [
            *("nvidia-cuda-nvcc", "nvidia-cuda-crt", "nvidia-nvvm", "nvidia-cuda-runtime", "nvidia-cuda-cccl"),
        ]
        versions = [package.partition("==")[2] for package in row.packages]
        # a cicc of another minor writes PTX that ptxas refuses; CCCL has numbers of its own from 13.3 on
        assert {".".join(version.split(".")[:2]) for version in versions[:4]} == {row.cuda}
        assert len(set(versions[:3])) == 1
        assert row.download_bytes.keys() == row.disk_bytes.keys() == {"x86_64", "aarch64"}


def test_digests_are_sha256() -> None:
    for row in toolkit_packages.table().runfiles:
        for file in row.files.values():
            assert file.sha256 is None or (len(file.sha256) == 64 and set(file.sha256) <= set("0123456789abcdef"))
    digests = [file.sha256 for row in toolkit_packages.table().runfiles for file in row.files.values() if file.sha256]
    assert len(set(digests)) == len(digests) > 20
