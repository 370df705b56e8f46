from __future__ import annotations

import subprocess
import sys

import pytest

from attn_doctor.knowledge.requirements import requirement, requirements, same_cuda, satisfies

VERSIONS = [
    "2.3.2",
    "2.3.3",
    "2.3.3.post1",
    "2.4",
    "2.10",
    "2.10.0",
    "3.0",
    "3.8.0",
    "3.8.4",
    "3.9.0",
    "3.0rc1",
    "3.0.0a0",
]
SPECIFIERS = [
    ">=2.3.3",
    "<3",
    ">2.3.3",
    "<=2.3.3",
    "==2.10",
    "==2.10.*",
    "!=2.10",
    "~=3.8.0",
    "~=3.8",
    ">=2.4,<3.9",
    "",
]


@pytest.mark.parametrize("specifier", SPECIFIERS)
@pytest.mark.parametrize("version", VERSIONS)
def test_it_agrees_with_packaging(version: str, specifier: str) -> None:
    from packaging.specifiers import SpecifierSet

    assert satisfies(version, specifier) is SpecifierSet(specifier).contains(version, prereleases=True)


def test_the_build_does_not_count() -> None:
    assert satisfies("2.8.0+cu128", "==2.8.0")
    assert satisfies("2.8.0+cu128", "==2.8.0+cpu")
    assert not satisfies("2.7.1+cu128", "==2.8.0")


@pytest.mark.parametrize(
    ("version", "specifier"),
    [("2.8.0", "nonsense"), ("2.8.0", ">=x"), ("a.b", ">=1"), ("", ">=1"), ("1", "@ file:///x")],
)
def test_what_is_not_understood_is_no_fault(version: str, specifier: str) -> None:
    assert satisfies(version, specifier)


def test_plain_versions_cost_no_import() -> None:
    code = (
        "import sys; from attn_doctor.knowledge.requirements import satisfies as s;"
        "s('2.8.3.post1', '>=2.3.3'); s('3.8.1', '~=3.8.0'); s('2.8.0', '==2.8.0'); s('3.11.9', '>=3.10,!=3.14.1');"
        "assert 'packaging' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_every_row_says_where_it_was_read() -> None:
    assert {row.needs for row in requirements("flash-attn-4", "4.0.0b36")} == {
        "apache-tvm-ffi",
        "nvidia-cutlass-dsl",
        "quack-kernels",
    }
    assert requirements("flash-attn-4", "4.0.0b35") == ()
    assert all(row.source for row in requirements("transformers", "5.23.0"))


@pytest.mark.parametrize(
    ("version", "floor"),
    [
        ("4.30.0", None),
        ("4.36.2", ">=2.1.1"),
        ("4.53.3", ">=2.1.0"),
        ("5.0.0", ">=2.2.0"),
        ("5.3.0", ">=2.4.0"),
        ("5.16.0", ">=2.5.0"),
        ("5.22.9", ">=2.6.0"),
        ("5.23.0", ">=2.6.0"),
        ("6.0.0", ">=2.6.0"),
    ],
)
def test_one_row_for_each_release(version: str, floor: str | None) -> None:
    rows = [row for row in requirements("transformers", version) if row.needs == "torch"]
    assert [row.specifier for row in rows] == ([floor] if floor else [])


def test_from_a_release_on_and_below_another() -> None:
    assert requirement("torch", "2.2.2", "numpy") is not None
    assert requirement("torch", "2.3.0", "numpy") is None
    assert requirement("torch", "2.13.0", "triton") is None
    assert requirement("torch", "2.16.0", "triton") is None


def test_how_far_the_cuda_must_agree() -> None:
    assert same_cuda("torchvision", "0.23.0", "12.6", "12.8")
    assert not same_cuda("torchvision", "0.23.0", "11.8", "12.8")
    assert not same_cuda("torchaudio", "2.8.0", "12.6", "12.8")
    assert same_cuda("torchaudio", "2.8.0", "12.8", "12.8")
    assert same_cuda("torchaudio", "0.13.1", "11.6", "11.7"), "not established"
