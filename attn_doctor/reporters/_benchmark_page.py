"""A benchmark as one HTML page: the answer, the plots, the numbers; light and dark, nothing from the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.measure.benchmark import MEASURED
from attn_doctor.measure.ranking import told
from attn_doctor.reporters import _benchmark, _plots
from attn_doctor.reporters._page import page as framed
from attn_doctor.reporters.html import escaped

if TYPE_CHECKING:
    from attn_doctor.measure.benchmark import Benchmark, Step, Timing

STYLE = """
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1rem}
.plots svg{width:100%;height:auto;display:block}
.wide td{font-variant-numeric:tabular-nums}
.wide tbody .said{white-space:normal;text-align:left}
.wide+h3{margin-top:1.25rem}
@media (min-width:40.01rem){
.wide{overflow-x:auto}
.wide td,.wide thead th{text-align:right;white-space:nowrap}
.wide thead th:first-child{text-align:left}
}
@media (max-width:40rem){
.wide tbody tr{grid-template-columns:4fr 5fr;gap:0 .5rem}
.wide tbody th{font-weight:600}
.wide tbody td:last-child{grid-column:auto}
.wide tbody td.said:last-child{grid-column:1/-1}
.wide td:empty{display:none}
.wide td[data-label]::before{content:attr(data-label) " ";color:var(--faint)}
}
"""


class Row(msgspec.Struct, frozen=True):
    """Cells below a head, the first of which names the row. `said`: why there is nothing to put into the others."""

    cells: tuple[str, ...]
    said: str = ""


def page(one: Benchmark) -> str:
    """The whole document."""
    title = f"attn-doctor bench: torch {one.torch} on {one.device.name}"
    colours = (
        f":root{{{_plots.variables(dark=False)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{_plots.variables(dark=True)}}}}}"
    )
    body = "\n".join((f"<style>{colours}{STYLE}</style>", *_answer(one), *_panels(one), *_steps(one), *_numbers(one)))
    return framed(escaped(title), body, f"attn-doctor {escaped(one.version)}")


def _answer(one: Benchmark) -> Iterator[str]:
    yield '<section class="answer ready">'
    yield f"<h1>{escaped(' '.join(_benchmark.answer(one)) or 'A training step')}</h1>"
    yield f"<p>{escaped(_benchmark.heading(one))}</p>"
    yield from (f"<p>{escaped(line[0].upper() + line[1:])}</p>" for line in _benchmark.notes(one))
    yield "</section>"
    if one.changes:
        yield "<section><h2>Changes</h2>"
        yield from (f"<p>{escaped(line.strip())}</p>" for line in _benchmark.changed(one))
        yield "</section>"


def _panels(one: Benchmark) -> Iterator[str]:
    places = _plots.styles([row.subject for row in one.timings])
    first, _ranks = told(one.timings)
    for panel in sorted(_plots.panels(one), key=lambda found: found.direction != first):
        drawn = "".join(_plots.svg(chart, places, _label(panel, chart)) for chart in panel.charts)
        plots = f'<div class="plots">{drawn}</div>'
        if panel.direction == first:
            yield f"<section><h2>{escaped(panel.title)}</h2>{plots}</section>"
        else:
            yield f"<details><summary>{escaped(panel.title)}</summary>{plots}</details>"


def _label(panel: _plots.Panel, chart: _plots.Chart) -> str:
    """What somebody hears who cannot see the plot: the last point of every line."""
    said = ", ".join(f"{name} {points[-1][1]:.3g} at length {points[-1][0]}" for name, points in chart.points.items())
    return escaped(f"{chart.title} in {chart.unit}, {panel.title}: {said}")


def _numbers(one: Benchmark) -> Iterator[str]:
    if not one.timings:
        return
    head = ("backend", "direction", "ms", "quartiles", "TFLOP/s", "memory", "over eager")
    yield "<section><h2>All times</h2>"
    for shape in dict.fromkeys(row.shape for row in one.timings):
        rows = [row for row in one.timings if row.shape == shape]
        yield f"<h3>{escaped(shape.said)}</h3>"
        yield from _table(head, [_cells(row) for row in rows])
    yield "</section>"


def _cells(row: Timing) -> Row:
    if row.status != MEASURED or row.ms is None:
        return Row((row.subject, row.direction), _why(row))
    cells = (
        row.subject,
        row.direction,
        f"{row.ms:.4g}{' ~' if row.noisy else ''}",
        f"{row.low_ms:.4g} to {row.high_ms:.4g}",
        f"{row.tflops:.3g}",
        _benchmark.size(row.peak_bytes),
        f"{row.speedup:.2f}x" if row.speedup else "",
    )
    return Row(cells)


def _why(row: Timing | Step) -> str:
    return f"{row.status}: {row.reason}" if row.reason else row.status


def _steps(one: Benchmark) -> Iterator[str]:
    if one.largest:
        yield "<section><h2>Largest batch that fits</h2>"
        rows = [
            Row((row.subject, str(row.batch), str(row.shape.length), str(row.shape.heads), str(row.shape.head_dim)))
            for row in one.largest
        ]
        yield from _table(("backend", "batch", "length", "heads", "head dimension"), rows)
        yield "</section>"
    if one.steps:
        yield f"<section><h2>A training step of {escaped(one.steps[0].model)}</h2>"
        yield from _table(
            ("backend", "setting", "batch", "ms", "tokens/s", "samples/s", "MFU", "memory"),
            [_step(row) for row in one.steps],
        )
        yield from (f"<p>{escaped(line.strip())}</p>" for line in _benchmark.beside_steps(one))
        yield "</section>"


def _step(row: Step) -> Row:
    if row.status != MEASURED or row.ms is None:
        return Row((row.subject, row.setting, str(row.batch)), _why(row))
    cells = (
        row.subject,
        row.setting,
        str(row.batch),
        f"{row.ms:.4g}{' ~' if row.noisy else ''}",
        f"{row.tokens_per_s or 0:.0f}",
        f"{row.samples_per_s or 0:.3g}",
        f"{row.mfu:.1%}" if row.mfu is not None else "",
        _benchmark.size(row.peak_bytes),
    )
    return Row(cells)


def _table(head: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    """On a phone each row is a block, in which every number has its heading before it."""
    yield '<div class="wide" tabindex="0"><table role="table"><thead role="rowgroup"><tr role="row">'
    yield "".join(f'<th scope="col" role="columnheader">{escaped(cell)}</th>' for cell in head)
    yield '</tr></thead><tbody role="rowgroup">'
    for row in rows:
        first, *others = row.cells
        cells = "".join(_cell(label, cell) for label, cell in zip(head[1:], others, strict=False))
        if row.said:
            cells += f'<td role="cell" class="said" colspan="{len(head) - len(row.cells)}">{escaped(row.said)}</td>'
        yield f'<tr role="row"><th scope="row" role="rowheader">{escaped(first)}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _cell(label: str, text: str) -> str:
    """A word says itself what it is; a number does not."""
    named = f' data-label="{escaped(label)}"' if text[:1].isdigit() else ""
    return f'<td role="cell"{named}>{escaped(text)}</td>'
