"""A benchmark as one HTML page: the answer, the plots, the numbers; light and dark, nothing from the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

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
.wide{overflow-x:auto}
.wide table{min-width:38rem}
.wide td{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.wide thead{position:static;width:auto;height:auto;clip-path:none}
.wide thead th{text-align:right;white-space:nowrap}
.wide thead th:first-child{text-align:left}
.wide table,.wide tbody{display:table}
.wide tbody{display:table-row-group}
.wide tbody tr{display:table-row}
.wide th,.wide td{padding:.35rem .75rem .35rem 0!important;border-bottom:1px solid var(--line)!important}
"""


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


def _cells(row: Timing) -> tuple[str, ...]:
    if row.status != MEASURED or row.ms is None:
        return (row.subject, row.direction, row.status, row.reason, "", "", "")
    return (
        row.subject,
        row.direction,
        f"{row.ms:.4g}{' ~' if row.noisy else ''}",
        f"{row.low_ms:.4g} to {row.high_ms:.4g}",
        f"{row.tflops:.3g}",
        _benchmark.size(row.peak_bytes),
        f"{row.speedup:.2f}x" if row.speedup else "",
    )


def _steps(one: Benchmark) -> Iterator[str]:
    if one.largest:
        yield "<section><h2>Largest batch that fits</h2>"
        rows = [
            (row.subject, str(row.batch), str(row.shape.length), str(row.shape.heads), str(row.shape.head_dim))
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


def _step(row: Step) -> tuple[str, ...]:
    if row.status != MEASURED or row.ms is None:
        return (row.subject, row.setting, str(row.batch), row.status, row.reason, "", "", "")
    return (
        row.subject,
        row.setting,
        str(row.batch),
        f"{row.ms:.4g}{' ~' if row.noisy else ''}",
        f"{row.tokens_per_s or 0:.0f}",
        f"{row.samples_per_s or 0:.3g}",
        f"{row.mfu:.1%}" if row.mfu is not None else "",
        _benchmark.size(row.peak_bytes),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first cell of a row names it; a table that is wider than a phone scrolls by itself."""
    yield '<div class="wide" tabindex="0"><table><thead><tr>'
    yield "".join(f'<th scope="col">{escaped(cell)}</th>' for cell in head)
    yield "</tr></thead><tbody>"
    for first, *others in rows:
        cells = "".join(f"<td>{escaped(cell)}</td>" for cell in others)
        yield f'<tr><th scope="row">{escaped(first)}</th>{cells}</tr>'
    yield "</tbody></table></div>"
