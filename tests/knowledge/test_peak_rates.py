"""The peak rates: dense, for the right card, and none where none is known."""

from __future__ import annotations

import pytest

from attn_doctor.knowledge import gpus
from attn_doctor.knowledge.peak_rates import peak, table
from attn_doctor.knowledge.versions import numbers

DTYPES = {"bf16", "fp16", "tf32", "fp32", "fp8"}


@pytest.mark.parametrize(
    ("name", "dtype", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", "bf16", 989.4),
        ("NVIDIA H100 PCIe", "bf16", 756.5),
        ("NVIDIA H100 NVL", "fp16", 835.5),
        ("NVIDIA H200", "bf16", 989.4),
        ("NVIDIA A100-SXM4-80GB", "tf32", 156),
        ("NVIDIA A100-SXM4-80GB", "fp32", 19.5),
        ("NVIDIA A10", "bf16", 125),
        ("NVIDIA A10G", "bf16", 70),
        ("NVIDIA L40", "bf16", 181),
        ("Tesla T4", "fp16", 65),
        ("Tesla V100-SXM2-16GB", "fp16", 125),
        ("NVIDIA TITAN RTX", "fp16", 130.5),
        ("NVIDIA GeForce RTX 3050", "bf16", 18.2),
        ("NVIDIA GeForce RTX 3090", "bf16", 71),
        ("NVIDIA GeForce RTX 4090", "bf16", 165.2),
        ("NVIDIA GeForce RTX 5090", "bf16", 209.5),
        ("NVIDIA GeForce RTX 5090", "fp8", 419),
        ("NVIDIA RTX 6000 Ada Generation", "bf16", 364.2),
        ("NVIDIA RTX A6000", "bf16", 154.8),
        ("NVIDIA B200", "bf16", 2250),
    ],
)
def test_what_the_documents_of_the_makers_say(name: str, dtype: str, tflops: float) -> None:
    found = peak(name, dtype)
    assert found is not None
    assert found.gpu == name
    assert found.tflops == pytest.approx(tflops, rel=0.005)
    assert found.source
    assert found.as_of


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("NVIDIA GeForce RTX 3050 Laptop GPU", "bf16"),  # its clock depends on the power it is given
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "bf16"),  # a seventh of the card
        ("Tesla T4", "bf16"),  # emulated
        ("NVIDIA A100-SXM4-80GB", "fp8"),
        ("NVIDIA H100", "bf16"),  # which of them?
        ("NVIDIA Imaginary 9000", "bf16"),
        ("", "bf16"),
    ],
)
def test_silence_where_nothing_is_known(name: str, dtype: str) -> None:
    assert peak(name, dtype) is None


def test_every_card_is_one_that_the_table_of_products_knows() -> None:
    for row in table().rows:
        assert row.source_id in table().sources
        assert set(row.tflops) <= DTYPES
        for name in row.gpus:
            assert gpus.find(name) is not None, name
            assert peak(name, "fp32") is not None, name
    names = [name for row in table().rows for name in row.gpus]
    assert len(names) == len(set(names))
    assert {row.source_id for row in table().rows} == set(table().sources)


def test_no_row_is_out_of_proportion() -> None:
    """A sparse figure among dense ones, or one with FP16 accumulation, is twice too high and shows here."""
    for row in table().rows:
        product = gpus.find(row.gpus[0])
        assert product is not None
        if product.vendor != "nvidia":
            continue
        rates, half = row.tflops, row.tflops["fp16"]
        capability = numbers(product.compute_capability or "")
        assert ("bf16" in rates) is (capability >= (8,))
        assert ("fp8" in rates) is (capability >= (8, 9))
        if "fp8" in rates:
            assert rates["fp8"] == pytest.approx(2 * half, rel=0.02), row
        if "tf32" in rates:
            assert rates["tf32"] == pytest.approx(half / 2, rel=0.02), row
        if "GeForce" in row.gpus[0]:
            assert half == pytest.approx((2 if capability >= (8,) else 4) * rates["fp32"], rel=0.01), row
