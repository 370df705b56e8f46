"""The table of GPU products and its look-ups."""

from __future__ import annotations

import subprocess
import sys

import pytest

from attn_doctor.knowledge import gpus
from attn_doctor.knowledge.gpus import GIB, Gpus, Row, find, find_pci, nearest, vendor_of
from attn_doctor.knowledge.tables import load

TABLE = load("gpus", Gpus)


@pytest.mark.parametrize(
    ("name", "capability", "gib"),
    [
        ("NVIDIA GeForce RTX 3050", "8.6", 8),
        ("RTX 3050", "8.6", 8),
        ("NVIDIA GeForce RTX 3050 A Laptop GPU", "8.9", 4),
        ("NVIDIA GeForce RTX 3050 6GB Laptop GPU", "8.6", 6),
        ("geforce rtx 4090", "8.9", 24),
        ("rtx4090", "8.9", 24),
        ("Tesla T4", "7.5", 16),
        ("T4", "7.5", 16),
        ("Tesla V100-SXM2-32GB", "7.0", 32),
        ("Tesla P100-PCIE-16GB", "6.0", 16),
        ("GTX 1080", "6.1", 8),
        ("NVIDIA TITAN RTX", "7.5", 24),
        ("NVIDIA A10", "8.6", 24),
        ("NVIDIA GH200 480GB", "9.0", 96),  # the name counts the memory of the CPU
        ("NVIDIA H200", "9.0", 141),
        ("NVIDIA B200", "10.0", 180),
        ("NVIDIA GB300", "10.3", 288),
        ("NVIDIA Thor", "11.0", 128),
        ("NVIDIA GeForce RTX 5090", "12.0", 32),
        ("NVIDIA GB10", "12.1", 128),
        ("NVIDIA Corporation GA106 [GeForce RTX 3050] (rev a1)", "8.6", 8),
        ("AD104M [GeForce RTX 4080 Max-Q / Mobile]", "8.9", 12),
    ],
)
def test_a_product_is_found_by_its_own_name(name: str, capability: str, gib: int) -> None:
    product = find(name)
    assert product is not None
    assert (product.vendor, product.compute_capability) == ("nvidia", capability)
    assert product.memory_bytes == gib * GIB


@pytest.mark.parametrize(
    ("family", "canonical", "capability"),
    [
        ("A100", "NVIDIA A100-SXM4-80GB", "8.0"),
        ("A100 40GB", "NVIDIA A100-SXM4-40GB", "8.0"),
        ("H100", "NVIDIA H100 80GB HBM3", "9.0"),
        ("V100", "Tesla V100-SXM2-16GB", "7.0"),
        ("P100", "Tesla P100-PCIE-16GB", "6.0"),
        ("RTX 4090 Laptop", "NVIDIA GeForce RTX 4090 Laptop GPU", "8.9"),
        ("RTX 4070 Mobile", "NVIDIA GeForce RTX 4070 Laptop GPU", "8.9"),
        ("RTX 6000 Ada", "NVIDIA RTX 6000 Ada Generation", "8.9"),
        ("P4000", "Quadro P4000", "6.1"),
    ],
)
def test_a_family_name_gives_its_usual_product(family: str, canonical: str, capability: str) -> None:
    product = find(family)
    assert product is not None
    assert (product.name, product.compute_capability) == (canonical, capability)


def test_an_exact_match_keeps_the_name_as_given() -> None:
    product = find("NVIDIA GeForce RTX 3050")
    assert product is not None
    assert product.name == "NVIDIA GeForce RTX 3050"


@pytest.mark.parametrize(
    "name",
    [
        "nonsense",
        "",
        "NVIDIA",
        "RTX",
        "RTX PRO",
        "DGX",
        "3050",
        "RTX 305",
        "RTX 6000",  # Turing and Ada
        "RTX 4000",
        "M4",  # Tesla and Apple
        "840M",  # GeForce and Radeon
        "NVIDIA GeForce RTX 3050 B Laptop GPU",
    ],
)
def test_a_name_that_fits_nothing_or_too_much_gives_none(name: str) -> None:
    assert find(name) is None


@pytest.mark.parametrize(
    ("name", "gfx", "gib"),
    [
        ("MI300X", "gfx942", 192),
        ("AMD Instinct MI210", "gfx90a", 64),
        ("AMD Instinct MI355X", "gfx950", 288),
        ("AMD Radeon RX 7900 XTX", "gfx1100", 24),
        ("Radeon RX 6600", "gfx1032", 8),
        ("Radeon 8060S Graphics", "gfx1151", None),
        (
            "Advanced Micro Devices, Inc. [AMD/ATI] Navi 31 [Radeon RX 7900 XT/7900 XTX]",
            "gfx1100",
            None,
        ),
    ],
)
def test_amd_products_carry_their_llvm_target(name: str, gfx: str, gib: int | None) -> None:
    product = find(name)
    assert product is not None
    assert (product.vendor, product.gfx, product.compute_capability) == ("amd", gfx, None)
    assert product.memory_bytes == (None if gib is None else gib * GIB)


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("Apple M2", "apple"),
        ("Apple M4", "apple"),
        ("Apple M5 Max", "apple"),
        ("Intel(R) Arc(TM) B580 Graphics", "intel"),
        ("Intel Data Center GPU Max 1550", "intel"),
        ("Tesla M4", "nvidia"),
    ],
)
def test_other_vendors(name: str, vendor: str) -> None:
    product = find(name)
    assert product is not None
    assert product.vendor == vendor
    assert (product.compute_capability is None) == (vendor != "nvidia")


@pytest.mark.parametrize("name", ["GeForce GT 1030", "GT 1030", "GeForce GT 730", "GeForce GT 710"])
def test_a_name_sold_on_several_chips_gives_no_capability(name: str) -> None:
    product = find(name)
    assert product is not None
    assert product.compute_capability is None
    assert product.memory_bytes is None


def test_the_device_id_tells_the_chips_of_one_name_apart() -> None:
    pascal, kepler = find_pci("1d01"), find_pci("0FC5")
    assert pascal is not None
    assert kepler is not None
    assert pascal.name == kepler.name == "GeForce GT 1030"
    assert (pascal.compute_capability, kepler.compute_capability) == ("6.1", "3.0")


@pytest.mark.parametrize("device_id", ["2507", "0x2507", "10de:2507", " 2507 "])
def test_a_device_id_may_be_written_in_several_ways(device_id: str) -> None:
    product = find_pci(device_id)
    assert product is not None
    assert (product.name, product.compute_capability) == ("NVIDIA GeForce RTX 3050", "8.6")


def test_a_device_id_knows_the_rarer_memory_size() -> None:
    small = find_pci("2584")
    assert small is not None
    assert small.memory_bytes == 6 * GIB


def test_a_device_id_shared_by_sizes_gives_no_memory() -> None:
    shared = find_pci("25a0")  # RTX 3050 Ti Laptop GPU and RTX 3060 Laptop GPU
    assert shared is not None
    assert shared.compute_capability == "8.6"
    assert shared.memory_bytes is None


@pytest.mark.parametrize("device_id", ["", "ffff", "zz"])
def test_an_unknown_device_id_gives_none(device_id: str) -> None:
    assert find_pci(device_id) is None


@pytest.mark.parametrize(
    ("name", "gib"),
    [
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", 10),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb+me", 10),
        ("H100 mig 1c.3g.40gb", 40),
        ("NVIDIA A100-SXM4-80GB", 80),
    ],
)
def test_a_mig_slice_has_the_memory_of_the_slice(name: str, gib: int) -> None:
    product = find(name)
    assert product is not None
    assert product.compute_capability in {"8.0", "9.0"}
    assert product.memory_bytes == gib * GIB


@pytest.mark.parametrize(("name", "gib"), [("RTX 4060 Ti", 8), ("RTX 4060 Ti 16GB", 16), ("RTX 4060 Ti 16 GB", 16)])
def test_a_size_after_the_name_counts(name: str, gib: int) -> None:
    product = find(name)
    assert product is not None
    assert product.memory_bytes == gib * GIB


def test_a_size_that_contradicts_the_name_found_gives_none() -> None:
    assert find("H100 7GB") is None


def test_nearest_offers_what_was_probably_meant() -> None:
    assert "NVIDIA GeForce RTX 3050" in nearest("RTX 3055")
    assert len(nearest("GeForce RTX 5090 Tie")) == 3
    assert nearest("zzzzqqqq") == ()


@pytest.mark.parametrize(
    ("name", "vendor"),
    [
        ("NVIDIA Foo 9000", "nvidia"),
        ("GeForce RTX 9090", "nvidia"),
        ("Radeon RX 9999", "amd"),
        ("AMD Instinct MI999", "amd"),
        ("MI300X", "amd"),
        ("Apple M9", "apple"),
        ("Intel Corporation DG2 [Arc A770]", "intel"),
        ("A100", "nvidia"),
        ("nonsense", None),
    ],
)
def test_the_vendor_of_a_name_in_the_table_or_not(name: str, vendor: str | None) -> None:
    assert vendor_of(name) == vendor


def ids(row: Row) -> str:
    return f"{row.name} {row.cc} {row.pci}"


@pytest.mark.parametrize("row", TABLE.rows, ids=ids)
def test_every_row_is_well_formed_and_finds_itself(row: Row) -> None:
    assert row.source in TABLE.sources
    assert (row.gib is None) == (row.gib_source is None)
    assert row.gib_source is None or row.gib_source in TABLE.sources
    assert row.gib is None or 1 <= row.gib <= 512
    if row.vendor == "nvidia":
        major, minor = (row.cc or "").split(".")
        assert 3 <= int(major) <= 12
        assert 0 <= int(minor) <= 9
    else:
        assert row.cc is None
    assert (row.gfx is not None and row.gfx.startswith("gfx")) == (row.vendor == "amd")
    found = find(row.name)
    assert found is not None
    assert (found.name, found.vendor, found.gfx) == (row.name, row.vendor, row.gfx)
    assert found.compute_capability == (None if row.ambiguous_with else row.cc)
    assert not row.ambiguous_with or row.cc in row.ambiguous_with


def test_every_device_id_is_four_hex_digits_on_one_capability() -> None:
    capabilities: dict[str, set[str | None]] = {}
    for row in TABLE.rows:
        for device_id in row.pci.split():
            assert len(device_id) == 4
            assert device_id == f"{int(device_id, 16):04X}"
            capabilities.setdefault(device_id, set()).add(row.cc)
    assert len(capabilities) > 500
    assert [found for found in capabilities.values() if len(found) != 1] == []


def test_every_alias_leads_to_a_row_and_is_written_as_a_key() -> None:
    names = {row.name for row in TABLE.rows}
    assert TABLE.aliases
    for alias, canonical in TABLE.aliases.items():
        assert canonical in names
        product = find(alias)
        assert product is not None
        assert product.name == canonical


def test_every_source_is_used_and_says_where_and_when() -> None:
    used = {row.source for row in TABLE.rows} | {row.gib_source for row in TABLE.rows}
    assert set(TABLE.sources) == used - {None}
    for source in TABLE.sources.values():
        assert source.text
        assert source.confidence
        assert len(source.as_of) == len("2026-11-21")


def test_a_product_names_the_sources_of_both_facts() -> None:
    product = find("NVIDIA B200")
    assert product is not None
    assert "open-gpu-kernel-modules" in product.source
    assert "MIG User Guide" in product.source


def test_importing_the_table_does_not_load_difflib() -> None:
    code = f"import sys, {gpus.__name__} as gpus; gpus.find('A100'); print('difflib' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip() == "False"
