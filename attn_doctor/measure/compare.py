"""The same measurements in two documents: what changed beyond noise."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from attn_doctor.errors import BadInput
from attn_doctor.measure.benchmark import MEASURED, SCHEMA, Benchmark, Change, Step, Timing

LEAST = 0.03  # of the time: below it two runs on the same quiet machine differ as well
SPREADS = 1.5


def read(data: bytes, named: str) -> Benchmark:
    """An earlier document of `attn-doctor bench --format json`. Raises BadInput."""
    hint = "Make one: attn-doctor bench --format json --output FILE"
    try:
        found = msgspec.json.decode(data, type=Benchmark)
    except msgspec.DecodeError as error:
        raise BadInput(f"{named} is no benchmark of attn-doctor's: {error}", hint) from error
    if found.schema != SCHEMA:
        raise BadInput(f"{named} is a document of {found.schema}; this attn-doctor reads {SCHEMA}", hint)
    return found


def changes(new: Benchmark, old: Benchmark) -> Iterator[Change]:
    """Of everything that stands in both, in the order of the new one."""
    before = {_key(row): row for row in _rows(old)}
    for row in _rows(new):
        earlier = before.get(_key(row))
        if earlier is not None and row.ms and earlier.ms:
            ratio = row.ms / earlier.ms
            known = abs(row.ms - earlier.ms) > max(LEAST * earlier.ms, SPREADS * max(_half(row), _half(earlier)))
            said = ("slower" if ratio > 1 else "faster") if known else "same"
            yield Change(subject=row.subject, what=_what(row), old_ms=earlier.ms, new_ms=row.ms, ratio=ratio, said=said)


def _rows(one: Benchmark) -> Iterator[Timing | Step]:
    """All that was measured."""
    yield from (row for row in one.timings if row.status == MEASURED)
    yield from (row for row in one.steps if row.status == MEASURED)


def _key(row: Timing | Step) -> tuple[object, ...]:
    if isinstance(row, Timing):
        return row.subject, row.shape, row.direction
    return row.subject, row.model, row.setting, row.batch, row.length, row.dtype


def _what(row: Timing | Step) -> str:
    if isinstance(row, Timing):
        return f"{row.shape.said} {row.direction}"
    return f"{row.model} step {row.batch}x{row.length} {row.dtype}{f', {row.setting}' if row.setting else ''}"


def _half(row: Timing | Step) -> float:
    """Half of what lies between the quartiles."""
    return (row.high_ms - row.low_ms) / 2 if row.high_ms is not None and row.low_ms is not None else 0.0


def differs(new: Benchmark, old: Benchmark) -> list[str]:
    """What else changed between the two: '2.13.0 -> 2.14.0' of torch, another device, another driver."""
    pairs = [
        ("device", old.device.name, new.device.name),
        ("driver", old.driver or "", new.driver or ""),
        ("torch", old.torch, new.torch),
        *(
            (name, old.packages.get(name, ""), new.packages.get(name, ""))
            for name in sorted({*old.packages, *new.packages})
        ),
    ]
    return [f"{name} {was or 'none'} -> {now or 'none'}" for name, was, now in pairs if was != now]
