"""File names to rows, held against every name that the catalogue already has."""

from __future__ import annotations

import pytest

from attn_doctor.wheels.refresh.asked import family
from attn_doctor.wheels.refresh.listing import Published
from attn_doctor.wheels.refresh.merge import embedded_rows, named
from attn_doctor.wheels.refresh.names import real_abi, understood
from attn_doctor.wheels.refresh.shelves import Row

EMBEDDED = embedded_rows()
ANDHIGHER = "sageattention-2.2.0+cu130torch2.9.0andhigher.post4-cp39-abi3-win_amd64.whl"


def parse(source: str, filename: str, tag: str | None = "v1", torch: str | None = None) -> Row | None:
    row = family(source)
    assert row is not None
    return understood(row, Published(filename, torch=torch), tag)


@pytest.mark.parametrize("source", [name for name in EMBEDDED if family(name)])
def test_every_known_name_is_understood_as_it_is_known(source: str) -> None:
    for row in EMBEDDED[source]:
        found = parse(source, row.filename, row.tag, row.torch)
        assert found is not None, row.filename
        assert (found.package, found.version, found.py, found.abi, found.plat) == (
            row.package,
            row.version,
            row.py,
            row.abi,
            row.plat,
        )
        if row.filename != ANDHIGHER:  # which the raw list has as one patch
            assert found.torch == row.torch
        if source != "pypi":  # where the name is silent
            assert found.cuda == row.cuda, row
        if found.cxx11abi is not None:
            assert found.cxx11abi == row.cxx11abi
        assert real_abi(found) == row.cxx11abi_real, row.filename
        assert named(row.filename) == (row.package, row.version)


def test_the_rules_for_lying_labels_find_all_that_are_known() -> None:
    lying = [row for rows in EMBEDDED.values() for row in rows if row.cxx11abi_real is not None]
    assert len(lying) == 88


@pytest.mark.parametrize(
    ("source", "filename", "wanted"),
    [
        (
            "fa-official",
            "flash_attn-3.0.1.post2+cu13torch2.14cxx11abiTRUE-cp314-cp314t-manylinux_2_28_aarch64.whl",
            ("flash-attn", "3.0.1.post2", "cu13", "2.14", True),
        ),
        (
            "kingbri1",
            "flash_attn-2.9.0+cu128torch2.9.1cxx11abiFALSE-cp313-cp313-win_amd64.whl",
            ("flash-attn", "2.9.0", "cu128", "2.9.1", None),
        ),
        (
            "mjun0812",
            "flash_attn_3-3.0.1+cu134torch2.15gitabcdef1-cp39-abi3-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
            ("flash-attn-3", "3.0.1", "cu134", "2.15", None),
        ),
        (
            "windreamer",
            "flash_attn_3-3.0.0+20261101.cu130torch2150cxx11abitrue.0a1b2c-cp39-abi3-linux_x86_64.whl",
            ("flash-attn-3", "3.0.0", "cu130", "2.15.0", True),
        ),
        (
            "woct0rdho/SageAttention",
            "sageattention-2.3.0+cu132torch2.12.0andhigher.post9-cp310-abi3-win_amd64.whl",
            ("sageattention", "2.3.0", "cu132", ">=2.12.0", None),
        ),
    ],
)
def test_names_to_come(source: str, filename: str, wanted: tuple[object, ...]) -> None:
    row = parse(source, filename)
    assert row is not None
    assert (row.package, row.version, row.cuda, row.torch, row.cxx11abi) == wanted


@pytest.mark.parametrize(
    ("source", "filename"),
    [
        ("fa-official", "flash_attn-2.9.0+cu12torch2.8-cp312-cp312-linux_x86_64.whl"),
        ("fa-official", "flash_attn-2.9.0.dev3+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"),
        ("fa-official", "flash_attn_3-3.0.0+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"),
        ("fa-official", "flash_attn-2.9.0+cu12torch2.8cxx11abiTRUE-cp312-cp312-macosx_14_0_arm64.whl"),
        ("mjun0812", "flash_attn-2.9.0+cu128torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"),
        ("mjun0812", "flash_attn-2.9.0+cu128torch2.9andhigher-cp312-cp312-linux_x86_64.whl"),
        ("windreamer", "flash_attn_3-3.0.0+cu130torch2.15cxx11abitrue-cp39-abi3-linux_x86_64.whl"),
        ("pypi", "flash_attn_4-4.0.0b99+local-py3-none-any.whl"),
        ("pypi", "xformers-0.0.99-cp39-abi3-manylinux_2_28_x86_64.whl"),
        ("pypi", "flash_attn_4-4.0.0b99-cp312-cp312-any.whl"),
    ],
)
def test_names_that_do_not_follow_their_host_are_not_guessed_at(source: str, filename: str) -> None:
    assert parse(source, filename, None) is None


def test_a_file_of_another_cuda_than_its_directory_is_not_believed() -> None:
    name = "xformers-0.0.99+cu128-cp39-abi3-manylinux_2_28_x86_64.whl"
    assert parse("pytorch-index", name, "cu128", "2.9.0") is not None
    assert parse("pytorch-index", name, "cu130", "2.9.0") is None
