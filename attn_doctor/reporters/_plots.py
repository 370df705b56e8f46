"""The plots of a benchmark, by matplotlib: SVG that takes its colours from the page, and one PNG of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any

import msgspec

from attn_doctor.errors import UsageError
from attn_doctor.measure.benchmark import MEASURED

if TYPE_CHECKING:
    from attn_doctor.measure.benchmark import Benchmark, Timing
    from attn_doctor.measure.shapes import Shape

MIB = 1 << 20
HUNDRED = 100
DIRECTIONS = {"forward": "forward", "backward": "backward", "both": "forward and backward"}
# Okabe and Ito's colours, told apart by most people who do not see red and green; lighter ones on a dark ground
SERIES = (
    ("#0072b2", "#56b4e9"),
    ("#c05000", "#ff9e5e"),
    ("#00755a", "#2fc49b"),
    ("#a04a80", "#e08cc0"),
    ("#7a6000", "#e8c547"),
    ("#444444", "#c8c8c8"),
)
MARKERS = "osD^vP"
# after the last colour they begin again, with another line and, in bars, another pattern
LINES = ("-", "--", ":", "-.")
PATTERNS = ("", "//", "..", "xx")
INK, FAINT = "#000001", "#000002"  # stand for the page's own colours
SIZE = (5.2, 3.3)  # inches


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """One value of every backend over the sequence length. `points`: (length, value), by backend."""

    title: str
    unit: str
    points: dict[str, tuple[tuple[int, float], ...]]
    logarithmic: bool = False


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """The charts of one kind of shape in one direction."""

    title: str
    direction: str
    charts: tuple[Chart, ...]


def require() -> None:
    """Raises UsageError where matplotlib is not here."""
    hint = "pip install 'attn-doctor[plots]', or take --format text or json."
    if find_spec("matplotlib") is None:
        raise UsageError("plots are drawn by matplotlib, which is not installed beside attn-doctor", hint)
    try:
        import_module("matplotlib.figure")
    except ImportError as error:  # a numpy that it was not made for
        raise UsageError(f"plots are drawn by matplotlib, which cannot be imported: {error}", hint) from error


def panels(one: Benchmark) -> Iterator[Panel]:
    """For every head dimension, mask and dtype, each direction; what was not measured leaves no panel.

    Lengths that were measured with several batches, or numbers of heads, get a panel for each of these.
    """
    rows = [row for row in one.timings if row.status == MEASURED and row.ms]
    kinds: dict[tuple[str, ...], list[Timing]] = {}
    for row in rows:
        kinds.setdefault(_kind(row.shape, rows), []).append(row)
    for kind, alike in kinds.items():
        for direction, said in DIRECTIONS.items():
            mine = [row for row in alike if row.direction == direction]
            if mine:
                title = f"{', '.join(filter(None, kind))}, {said}"
                yield Panel(title=title, direction=direction, charts=tuple(_charts(mine)))


def _kind(shape: Shape, rows: Sequence[Timing]) -> tuple[str, ...]:
    """What the shapes of one panel have in common; heads and batch where the length alone does not tell them apart."""

    def same(other: Shape) -> bool:
        mine, theirs = ((one.head_dim, one.causal, one.dtype) for one in (shape, other))
        return mine == theirs

    alike = {row.shape for row in rows if same(row.shape)}
    heads = {(one.heads, one.kv_heads) for one in alike}
    of_heads = [one for one in alike if (one.heads, one.kv_heads) == (shape.heads, shape.kv_heads)]
    repeated = len({one.length for one in of_heads}) < len(of_heads)
    shared = f" over {shape.kv_heads}" if shape.kv_heads != shape.heads else ""
    return (
        f"Head dimension {shape.head_dim}",
        f"{shape.heads} heads{shared}" if len(heads) > 1 else "",
        f"batch {shape.batch}" if repeated else "",
        "causal" if shape.causal else "not causal",
        shape.dtype,
    )


def _charts(rows: Sequence[Timing]) -> Iterator[Chart]:
    yield Chart(title="Time", unit="ms", points=_points(rows, lambda row: row.ms), logarithmic=True)
    yield Chart(title="Rate", unit="TFLOP/s", points=_points(rows, lambda row: row.tflops))
    memory = _points(rows, lambda row: row.peak_bytes / MIB if row.peak_bytes else None)
    if memory:
        yield Chart(title="Peak memory beside the inputs", unit="MiB", points=memory, logarithmic=True)
    speed = _points(rows, lambda row: row.speedup)
    if speed:
        yield Chart(title="Speed-up over eager", unit="times", points=speed)


def _points(rows: Sequence[Timing], value: Any) -> dict[str, tuple[tuple[int, float], ...]]:
    """Of a panel each length has one value."""
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        got = value(row)
        if got is not None:
            found.setdefault(row.subject, {})[row.shape.length] = float(got)
    return {name: tuple(sorted(points.items())) for name, points in found.items()}


def styles(names: Sequence[str]) -> dict[str, int]:
    """The same place in the palette for a backend in every chart of a document."""
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def svg(chart: Chart, places: dict[str, int], label: str) -> str:
    """An `<svg>` for a page: text stays text, colours are the page's variables. `label`: for who cannot see it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "attn-doctor", "font.family": "sans-serif"}):
        flat = len({length for points in chart.points.values() for length, _ in points}) < 2  # noqa: PLR2004 - bars
        height = min(SIZE[1], 0.9 + 0.35 * len(chart.points)) if flat else SIZE[1]
        figure = Figure(figsize=(SIZE[0], height), layout="constrained")
        figure.patch.set_alpha(0)
        _draw(figure.subplots(), chart, places, [f"#0000{place + 16:02x}" for place in range(len(SERIES))], INK, FAINT)
        buffer = StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return _for_a_page(text[text.index("<svg") :], label)


def _for_a_page(text: str, label: str) -> str:
    """Colours by name, a size that follows the page, and a label."""
    text = text.replace(INK, "var(--text)").replace(FAINT, "var(--line)")
    for place in range(len(SERIES)):
        text = text.replace(f"#0000{place + 16:02x}", f"var(--series-{place})")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'font: (\d+(?:\.\d+)?)px [^;"]*', r"font: \1px system-ui, sans-serif", text)
    head, _, rest = text.partition(">")
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{label}">{rest}'.strip()


def variables(*, dark: bool) -> str:
    """The colours of the series, for a style sheet."""
    return "".join(f"--series-{place}:{pair[dark]};" for place, pair in enumerate(SERIES))


def png(one: Benchmark) -> bytes:
    """All panels below each other, on white."""
    from matplotlib.figure import Figure

    listed = list(panels(one))
    places = styles([row.subject for row in one.timings])
    columns = max((len(panel.charts) for panel in listed), default=1)
    figure = Figure(figsize=(SIZE[0] * columns, (SIZE[1] + 0.4) * max(1, len(listed))), layout="constrained")
    figure.suptitle(f"torch {one.torch} on {one.device.name}, {one.date[:10]}")
    if not listed:
        figure.text(0.5, 0.5, "nothing was measured", ha="center")
    for panel, part in zip(listed, figure.subfigures(max(1, len(listed)), 1, squeeze=False)[:, 0], strict=False):
        part.suptitle(panel.title, fontsize="medium")
        axes = part.subplots(1, columns, squeeze=False)[0]
        for chart, axis in zip(panel.charts, axes, strict=False):
            _draw(axis, chart, places, [pair[0] for pair in SERIES], "#1a1c1f", "#d5d9e0")
        for axis in axes[len(panel.charts) :]:
            axis.set_axis_off()
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _draw(axis: Any, chart: Chart, places: dict[str, int], colours: Sequence[str], ink: str, faint: str) -> None:
    """Lines over the length; bars where only one length was measured."""
    lengths = sorted({length for points in chart.points.values() for length, _ in points})
    if len(lengths) > 1:
        _lines(axis, chart, places, colours, lengths)
        axis.grid(visible=True, color=faint, linewidth=0.6)
        axis.legend(frameon=False, labelcolor=ink, fontsize="small")
    else:
        _bars(axis, chart, places, colours, ink)
    axis.set_title(f"{chart.title} ({chart.unit})", color=ink, loc="left", fontsize="medium")
    axis.set_facecolor("none")
    axis.tick_params(colors=ink, which="both", labelsize="small")
    for name, spine in axis.spines.items():
        spine.set_color(faint)
        spine.set_visible(name in ("left", "bottom"))


def _lines(axis: Any, chart: Chart, places: dict[str, int], colours: Sequence[str], lengths: Sequence[int]) -> None:
    for name, points in chart.points.items():
        turn, place = divmod(places[name], len(colours))
        across, up = zip(*points, strict=True)
        axis.plot(
            *(across, up),
            color=colours[place],
            marker=MARKERS[(place + turn) % len(MARKERS)],
            linestyle=LINES[turn % len(LINES)],
            markersize=5,
            linewidth=2,
            label=name,
        )
    axis.set_xscale("log", base=2)
    axis.set_xticks(lengths, [str(length) for length in lengths])
    axis.set_xticks([], minor=True)
    axis.set_xlabel("sequence length", color=INK if colours[0].startswith("#0000") else "#1a1c1f", fontsize="small")
    if chart.logarithmic:
        axis.set_yscale("log")
        _plain_numbers(axis)
    else:
        axis.set_ylim(bottom=0)


def _plain_numbers(axis: Any) -> None:
    """'100', not '10²'."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    """Three digits, and never as a power of ten."""
    return f"{value:.0f}" if value >= HUNDRED else f"{value:.3g}"


def _bars(axis: Any, chart: Chart, places: dict[str, int], colours: Sequence[str], ink: str) -> None:
    names = list(chart.points)
    values = [chart.points[name][0][1] for name in names]
    turns = [divmod(places[name], len(colours)) for name in names]
    bars = axis.barh(names, values, color=[colours[place] for _, place in turns], height=0.6)
    for bar, (turn, _place) in zip(bars, turns, strict=True):
        bar.set_hatch(PATTERNS[turn % len(PATTERNS)])
    axis.bar_label(bars, labels=[_short(value) for value in values], padding=4, color=ink, fontsize="small")
    axis.margins(x=0.18)
    axis.invert_yaxis()
