"""Container images: tags that were seen, what is in them, what goes in beside torch."""

from __future__ import annotations

import pytest

from attn_doctor.knowledge import cuda, images, torch_builds
from attn_doctor.knowledge.versions import major_minor, numbers


@pytest.mark.parametrize(
    ("version", "flavour", "on", "tag"),
    [
        ("12.8", "base", "ubuntu24.04", "nvidia/cuda:12.8.1-base-ubuntu24.04"),
        ("12.8", "devel", "ubuntu22.04", "nvidia/cuda:12.8.1-devel-ubuntu22.04"),
        ("11.8", "base", "ubuntu22.04", "nvidia/cuda:11.8.0-base-ubuntu22.04"),
        ("12.4", "base", "ubuntu24.04", None),
        ("12.7", "base", "ubuntu22.04", None),
        ("99.9", "devel", "ubuntu24.04", None),
    ],
)
def test_tags(version: str, flavour: images.Flavour, on: str, tag: str | None) -> None:
    assert images.tag(version, flavour, on, "x86_64") == tag


def test_no_tag_for_an_architecture_that_has_none() -> None:
    assert images.tag("12.8", "base", "ubuntu24.04", "riscv64") is None


def test_one_row_a_minor_newest_first() -> None:
    rows = [row.cuda for row in images.table().cuda]
    assert rows == sorted(rows, key=numbers, reverse=True)
    assert len({major_minor(row) for row in rows}) == len(rows)
    assert all(cuda.driver_floor(row, "linux") for row in rows)


def test_every_cuda_of_a_recent_torch_has_an_image() -> None:
    wanted = {build.cuda for build in torch_builds.builds("linux", "x86_64") if build.cuda}
    missing = {version for version in wanted if not images.tag(version, "devel", "ubuntu22.04", "x86_64")}
    assert missing == {"11.6"}


def test_distributions() -> None:
    assert [(row.name, row.python, row.glibc) for row in images.table().distributions] == [
        ("ubuntu24.04", "3.12", "2.39"),
        ("ubuntu22.04", "3.10", "2.35"),
    ]
    assert all(row.image and row.gcc for row in images.table().distributions)
    focal = images.distribution("ubuntu20.04")
    assert focal is not None
    assert focal.python == "3.8"
    assert images.distribution("rockylinux9") is None


def test_what_goes_in_beside_a_package() -> None:
    assert [row.name for row in images.pinned("flash-attn")] == ["einops"]
    assert [row.version for row in images.pinned("xformers", "2.2.0")] == ["1.26.4"]
    assert [row.version for row in images.pinned("xformers", "2.9.1+cu128")] == ["2.2.6"]
    assert {row.name for row in images.pinned("build")} == {"ninja", "packaging", "psutil", "setuptools", "wheel"}
    assert images.pinned("flash-attn-4") == ()


def test_driver_packages() -> None:
    assert images.brings_a_driver("nvidia-driver-550-open")
    assert images.brings_a_driver("cuda-13-0")
    assert not images.brings_a_driver("cuda-toolkit-13-0")
    assert not images.brings_a_driver("nvidia-container-toolkit")


def test_movers() -> None:
    torchvision = images.mover("torchvision")
    assert torchvision is not None
    assert torchvision.demands.startswith(">=")
    assert images.mover("transformers") is None
