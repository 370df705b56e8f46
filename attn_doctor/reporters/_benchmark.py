"""A benchmark as text: the answer, then a table for each shape, then what was found besides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from attn_doctor.measure.benchmark import MEASURED
from attn_doctor.measure.brought import brought
from attn_doctor.measure.conditions import doubts
from attn_doctor.measure.ranking import told, wrong
from attn_doctor.reporters._lines import WIDTH, as_json, printed

if TYPE_CHECKING:
    from attn_doctor.measure.benchmark import Benchmark, Change, Step, Timing

NAME = 17
CELL = 15
WIDE = 26  # the name of a setting
WORDS = {"forward": "forward", "backward": "backward", "both": "both"}
SAID = {"forward": "forward", "both": "forward and backward"}
EQUAL = 1.03
LEGEND = (
    "Batch x length x heads x head dimension. Medians in ms, then TFLOP/s of attention; memory beside the inputs; "
    "speed over eager."
)
GIB, MIB = 1 << 30, 1 << 20
TEN, HUNDRED = 10, 100


def document(one: Benchmark) -> str:
    """Indented JSON, ending in a newline; validates against schemas/benchmark.json."""
    return as_json(one)


def text(one: Benchmark) -> str:
    """The whole of it, in 80 columns."""
    return printed(_lines(one))


def _lines(one: Benchmark) -> Iterator[str]:
    yield from wrap(heading(one), WIDTH)
    yield ""
    yield from answer(one)
    if one.changes:
        yield ""
        yield from changed(one)
    if one.timings:
        yield ""
        yield from wrap(LEGEND, WIDTH)
    for rows in _by_shape(one.timings):
        yield ""
        yield from _table(rows)
    yield from _largest(one)
    yield from _steps(one)
    yield from _reasons(one.timings)
    listed = notes(one)
    if listed:
        yield ""
    for line in listed:
        yield from wrap(f"Note: {line}", WIDTH, subsequent_indent="  ")


def heading(one: Benchmark) -> str:
    """What was measured where, and when."""
    return f"torch {one.torch} on {one.device.name}{_threads(one)} · {one.date[:10]} · seed {one.seed}"


def _threads(one: Benchmark) -> str:
    return f", {one.device.threads} threads" if one.device.threads else ""


def answer(one: Benchmark) -> list[str]:
    """The first lines, as in 'Fastest here, forward and backward: sdpa, 5.2 times as fast as eager (3 shapes)'."""
    direction, ranks = told(one.timings)
    if not ranks:
        return _fastest_step(one.steps) or ["Nothing was measured."]
    shapes = f"{ranks[0].shapes} shape{'s' if ranks[0].shapes > 1 else ''}"
    if len(ranks) == 1:
        return [f"{ranks[0].subject} was measured alone ({shapes})."]
    equal = [rank.subject for rank in ranks if rank.times <= EQUAL]
    said = f"Fastest here, {SAID[direction]}: {' and '.join(equal)}"
    others = [f"{rank.times:.1f} times as fast as {rank.subject}" for rank in ranks if rank.subject not in equal]
    return wrap(f"{said}{', ' if others else ''}{', '.join(others)} ({shapes}).", WIDTH)


def _fastest_step(steps: Sequence[Step]) -> list[str]:
    """Of the backends without any setting."""
    rows = sorted(
        (row for row in steps if not row.setting and row.samples_per_s), key=lambda row: -(row.samples_per_s or 0)
    )
    if not rows:
        return []
    first, *others = rows
    rates = [(first.samples_per_s or 0) / (row.samples_per_s or 1) for row in others]
    equal = [first.subject, *(row.subject for row, rate in zip(others, rates, strict=True) if rate <= EQUAL)]
    said = [
        f"{rate:.1f} times as fast as {row.subject}" for row, rate in zip(others, rates, strict=True) if rate > EQUAL
    ]
    return wrap(f"Fastest training step here: {', '.join([' and '.join(equal), *said])}.", WIDTH)


def _by_shape(timings: Sequence[Timing]) -> Iterator[list[Timing]]:
    for shape in dict.fromkeys(row.shape for row in timings):
        yield [row for row in timings if row.shape == shape]


def _table(rows: Sequence[Timing]) -> Iterator[str]:
    directions = [name for name in WORDS if any(row.direction == name for row in rows)]
    yield f"{rows[0].shape.said}"
    heads = "".join(f"{WORDS[name]:>{CELL}}" for name in directions)
    yield f"  {'':<{NAME}}{heads}{'memory':>9}{'speed':>7}".rstrip()
    for subject in dict.fromkeys(row.subject for row in rows):
        mine = {row.direction: row for row in rows if row.subject == subject}
        cells = "".join(_cell(mine.get(name)) for name in directions)
        last = next((mine[name] for name in reversed(directions) if name in mine and mine[name].ms), None)
        beside = f"{size(last.peak_bytes):>9}{_times(last.speedup):>7}" if last else ""
        yield f"  {subject:<{NAME}}{cells}{beside}".rstrip()


def _cell(row: Timing | None) -> str:
    if row is None:
        return " " * CELL
    if row.status != MEASURED or row.ms is None:
        return f"{row.status:>{CELL}}"
    return f"{_number(row.ms)}{'~' if row.noisy else ' '} {_rate(row.tflops or 0.0):>5}".rjust(CELL)


def _number(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:.0f}" if value >= HUNDRED else f"{value:.3g}"


def _rate(value: float) -> str:
    """At most five characters."""
    return f"{value:.0f}" if value >= HUNDRED else f"{value:.1f}" if value >= TEN else f"{value:.3f}"


def size(value: int | None) -> str:
    """'68.0 MiB'; '' for what is not known."""
    if value is None:
        return ""
    if value >= GIB:
        return f"{value / GIB:.1f} GiB"
    return f"{value / MIB:.0f} MiB" if value >= HUNDRED * MIB else f"{value / MIB:.1f} MiB"


def _times(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}x" if value >= HUNDRED else f"{value:.1f}x"


def _reasons(timings: Sequence[Timing]) -> Iterator[str]:
    """Each once: why a cell holds a word."""
    found: dict[tuple[str, str, str], int] = {}
    for row in timings:
        if row.status not in (MEASURED, "left out") and row.reason:
            key = (row.subject, row.status, row.reason)
            found[key] = found.get(key, 0) + 1
    if found:
        yield ""
    for (subject, status, reason), count in found.items():
        times = f" ({count} times)" if count > 1 else ""
        yield from wrap(f"{subject}, {status}{times}: {reason}", WIDTH, subsequent_indent="  ", break_long_words=False)


def _largest(one: Benchmark) -> Iterator[str]:
    if one.largest:
        yield ""
        yield "Largest batch that fits"
    for row in one.largest:
        shape = row.shape
        said = f"length {shape.length}, {shape.heads} heads of {shape.head_dim}, {shape.dtype}"
        yield f"  {row.subject:<{NAME}}{row.batch:>8}   {said}"
        if row.stopped != "no memory":
            yield from wrap(row.stopped, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _steps(one: Benchmark) -> Iterator[str]:
    if not one.steps:
        return
    first = one.steps[0]
    yield ""
    yield f"A training step of {first.model}, {first.batch} x {first.length} tokens, {first.dtype}"
    yield f"  {'':<{WIDE}}{'ms':>9}{'tokens/s':>11}{'samples/s':>11}{'MFU':>8}{'memory':>10}"
    for row in one.steps:
        yield from _step(row)
    for line in beside_steps(one):
        yield from wrap(line, WIDTH, initial_indent="  ", subsequent_indent="  ")


def beside_steps(one: Benchmark) -> Iterator[str]:
    """What the utilisation is held against, how far losses lie apart, and what settings brought."""
    if one.peak is not None:
        yield f"MFU of {one.peak.tflops:g} TFLOP/s dense {one.peak.dtype}: {one.peak.gpu}, {one.peak.source}"
    elif any(row.status == MEASURED for row in one.steps):
        yield f"No MFU: no sourced peak rate of {one.device.name} is known."
    for pair in one.parity:
        yield (
            f"Losses of {pair.subject} and {pair.against} lie at most {pair.largest:.2g} apart over {pair.steps} steps."
        )
    yield from (found.said for found in brought(one.steps))


def _step(row: Step) -> Iterator[str]:
    name = f"  + {row.setting.replace('_', ' ')}" if row.setting else f"  {row.subject}"
    if row.status != MEASURED or row.ms is None:
        yield from wrap(
            f"{row.status}  {row.reason}", WIDTH, initial_indent=f"{name:<{WIDE + 2}}", subsequent_indent="    "
        )
        return
    noisy = "~" if row.noisy else " "
    mfu = f"{row.mfu:.1%}" if row.mfu is not None else "-"
    rate = f"{row.tokens_per_s or 0:.0f}"
    yield (
        f"{name:<{WIDE + 2}}{_number(row.ms) + noisy:>9}{rate:>11}{row.samples_per_s or 0:>11.3g}{mfu:>8}"
        f"{size(row.peak_bytes):>10}"
    ).rstrip()
    if row.reason:
        yield from wrap(row.reason, WIDTH, initial_indent="      ", subsequent_indent="      ")


def changed(one: Benchmark) -> Iterator[str]:
    """Against the earlier document: how much changed, and each change beyond noise."""
    known = [change for change in one.changes if change.said != "same"]
    same = len(one.changes) - len(known)
    yield f"Against {one.against[:10] if one.against else 'before'}: {len(known)} changed beyond noise, {same} did not."
    if one.differs:
        yield from wrap(f"What else changed: {', '.join(one.differs)}.", WIDTH, subsequent_indent="  ")
    for change in sorted(known, key=lambda found: found.ratio):
        yield from _change(change)


def _change(change: Change) -> Iterator[str]:
    ratio = change.ratio if change.said == "slower" else 1 / change.ratio
    times = f"{_number(change.old_ms)} -> {_number(change.new_ms)} ms"
    yield f"  {change.subject:<{NAME}} {ratio:>6.2f} times {change.said}   {times}"
    yield f"    {change.what}"


def notes(one: Benchmark) -> list[str]:
    """What to know before one builds on the numbers, each a sentence."""
    said = [*_wrong(one.timings), *doubts(one.before, one.after)]
    noisy = sum(row.noisy for row in one.timings) + sum(row.noisy for row in one.steps)
    if noisy:
        of = len(one.timings) + len(one.steps)
        said.append(f"{noisy} of {of} reading{'s' if of > 1 else ''} marked ~: too noisy to build on")
    if one.left_out:
        said.append(f"the budget left out {one.left_out} measurement{'s' if one.left_out > 1 else ''}")
    if one.interrupted:
        said.append("it was interrupted: what was done until then is here")
    return [f"{line}." for line in said]


def _wrong(timings: Sequence[Timing]) -> Iterator[str]:
    """How fast a result is that is wrong does not matter."""
    worst: dict[str, float] = {}
    for row in timings:
        if wrong(row):
            worst[row.subject] = max(worst.get(row.subject, 0.0), row.difference or 0.0)
    for subject, apart in worst.items():
        yield (
            f"{subject} gives another result than eager or sdpa ({apart:.2g} apart) and is left out of the ranking: "
            f"attn-doctor verify {subject} says more"
        )
