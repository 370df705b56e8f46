"""The rate that a GPU could reach at best, by dtype: what model flops utilisation is a share of."""

from functools import cache

import msgspec

from attn_doctor.knowledge import gpus
from attn_doctor.knowledge.tables import load


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Products with the same rates, in teraflops by the second, by dtype."""

    gpus: tuple[str, ...]
    tflops: dict[str, float]
    source_id: str


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """peak_rates.json."""

    as_of: str
    note: str
    sources: dict[str, gpus.Source]
    rows: tuple[Row, ...]


class Rate(msgspec.Struct, frozen=True):
    """Dense, with FP32 accumulation, at the boost clock of the reference card."""

    gpu: str
    tflops: float
    source: str
    as_of: str


def peak(name: str, dtype: str) -> Rate | None:
    """Of a device as torch or NVML names it, for bf16, fp16, tf32, fp32 or fp8.

    None for a GPU that is not in the table, for a dtype that it has no unit for, and for a slice of one (MIG).
    """
    product = None if " mig " in f"{name.casefold()} " else gpus.find(name)
    row = _rows().get(product.name.casefold()) if product else None
    if product is None or row is None or dtype not in row.tflops:
        return None
    source = table().sources[row.source_id]
    return Rate(gpu=product.name, tflops=row.tflops[dtype], source=source.text, as_of=source.as_of)


def table() -> Table:
    """The whole table."""
    found: Table = load("peak_rates", Table)
    return found


@cache
def _rows() -> dict[str, Row]:
    """By the name of the product; one that `gpus` spells otherwise is found by that spelling too."""
    found: dict[str, Row] = {}
    for row in table().rows:
        for name in row.gpus:
            product = gpus.find(name)
            found |= {one.casefold(): row for one in (name, product.name if product else name)}
    return found
