"""The page of a benchmark: complete, harmless, and shown whole by a real browser."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from attn_doctor.measure.benchmark import Benchmark, Device, Largest, Step, Timing
from attn_doctor.measure.shapes import presets
from attn_doctor.reporters import _benchmark_page, _plots
from reporters.test_html import CHROMIUM, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from attn_doctor.measure.shapes import Shape

pytestmark = pytest.mark.xdist_group("chromium")  # the page is drawn once
DOCUMENTS = tuple(presets()["documents"].shapes("bf16"))
MS = {"eager": 40.0, "sdpa": 8.0, "flash_attention_2": 6.0}


def timings(grid: Iterable[Shape], names: Mapping[str, float] = MS) -> Iterator[Timing]:
    """Of every shape in every direction."""
    for shape in grid:
        for direction in ("forward", "backward", "both"):
            for name, ms in names.items():
                fits = name != "eager" or shape.length < 16384
                yield Timing(
                    subject=name,
                    shape=shape,
                    direction=direction,
                    status="measured" if fits else "no memory",
                    reason="" if fits else "OutOfMemoryError: <CUDA> & more",
                    ms=ms * shape.length / 512 if fits else None,
                    low_ms=ms * shape.length / 513,
                    high_ms=ms * shape.length / 511,
                    tflops=3000 / ms,
                    peak_bytes=shape.length * int(ms) << 14,
                    speedup=40.0 / ms,
                )


def whole(grid: Iterable[Shape]) -> Benchmark:
    """On a GPU, with made-up times."""
    rows = tuple(timings(grid))
    step = Step(
        subject="sdpa", model="GPT-2 124M", batch=16, length=1024, dtype="bf16", status="measured", ms=80.0,
        tokens_per_s=2e5, samples_per_s=200.0, mfu=0.41, peak_bytes=20 << 30,
    )  # fmt: skip
    return Benchmark(
        date="2026-11-30T10:00:00Z",
        python="/venv/bin/python",
        torch="2.8.0+cu128",
        preset="documents",
        seed=1,
        device=Device(kind="cuda", name="NVIDIA <A100>"),
        timings=rows,
        largest=(Largest(subject="sdpa", shape=rows[0].shape, batch=96, stopped="no memory"),),
        steps=(step,),
    )


def few() -> list[Shape]:
    """One head dimension at three lengths, with and without a mask."""
    return [one for one in DOCUMENTS if one.head_dim == 64 and one.length in (512, 8192, 16384)]


@pytest.fixture(scope="module")
def page() -> str:
    return _benchmark_page.page(whole(few()))


def test_the_grid_of_the_documents_has_a_panel_for_each_kind() -> None:
    found = list(_plots.panels(whole(DOCUMENTS)))
    assert len(found) == 2 * 2 * 3  # head dimensions, masks, directions
    assert all(len(panel.charts) == 4 for panel in found)
    assert found[0].title == "Head dimension 64, not causal, bf16, forward"
    lengths = [length for length, _ in found[0].charts[0].points["sdpa"]]
    assert lengths == [512, 1024, 2048, 4096, 8192, 16384]


def test_lengths_at_several_batches_and_heads_are_kept_apart() -> None:
    shape = few()[0]
    grid = [replace(shape, batch=batch, length=length) for batch in (1, 2) for length in (512, 1024)]
    grid.append(replace(shape, heads=4, kv_heads=2, batch=7, length=512))
    found = [panel for panel in _plots.panels(whole(grid)) if panel.direction == "forward"]
    assert [panel.title for panel in found] == [
        "Head dimension 64, 32 heads, batch 1, not causal, bf16, forward",
        "Head dimension 64, 32 heads, batch 2, not causal, bf16, forward",
        "Head dimension 64, 4 heads over 2, not causal, bf16, forward",
    ]
    assert [len(panel.charts[0].points["sdpa"]) for panel in found] == [2, 2, 1]


def test_more_backends_than_colours_look_different() -> None:
    """Lines by colour, marker and dashes; bars by colour and pattern."""
    names = {f"backend_{place}": 5.0 + place for place in range(len(_plots.SERIES) + 2)}
    rows = tuple(timings(few()[::2], names))
    places = _plots.styles(list(names))
    (chart, *_) = next(_plots.panels(replace(whole(few()), timings=rows))).charts
    lines = re.findall(
        r'<g id="line2d_\d+">\s*<path d="[^"]*" clip-path="[^"]*" style="([^"]*)"', _plots.svg(chart, places, "")
    )
    series = [one for one in lines if "--series" in one]
    assert len(series) == len(set(series)) == len(names)
    alone = tuple(row for row in rows if row.shape == rows[0].shape)
    (chart, *_) = next(_plots.panels(replace(whole(few()), timings=alone))).charts
    bars = re.findall(r'style="fill: ([^"]*)"', _plots.svg(chart, places, ""))
    assert len({one for one in bars if "--series" in one or "url" in one}) == len(names)


def test_every_plot_is_there_and_is_well_formed(page: str) -> None:
    drawn = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    assert len(drawn) == 4 * 2 * 3  # masks, directions
    for one in drawn:
        ET.fromstring(one)
    labels = re.findall(r'aria-label="(.*?)"', page)
    assert (
        "Time in ms, Head dimension 64, not causal, bf16, forward and backward: eager 640 at length 8192" in labels[0]
    )


def test_nothing_in_it_is_code_or_comes_from_elsewhere(page: str) -> None:
    assert "<script" not in page
    assert "&lt;A100&gt;" in page
    assert "<A100>" not in page
    addresses = set(re.findall(r"(?:https?:)?//[\w./-]+", page))
    assert all("www.w3.org" in one for one in addresses), addresses
    assert "#0000" not in page, "every colour follows the page"


def test_every_number_is_in_the_table(page: str) -> None:
    assert page.count('<th scope="row" role="rowheader">flash_attention_2</th>') == 6 * 3
    assert "OutOfMemoryError" in page
    assert "41.0%" in page
    assert ">96<" in page


def test_one_shape_gives_bars_and_nothing_gives_a_page() -> None:
    one = whole(few())
    first = replace(
        one, timings=tuple(row for row in one.timings if row.shape == one.timings[0].shape), steps=(), largest=()
    )
    assert _benchmark_page.page(first).count("<svg ") == 4 * 3
    assert "Nothing was measured" in _benchmark_page.page(replace(one, timings=(), steps=(), largest=()))


def test_a_picture() -> None:
    one = whole(one for one in few() if one.causal)
    assert _plots.png(one).startswith(b"\x89PNG\r\n")
    assert _plots.png(replace(one, timings=())).startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize(("scheme", "width"), [(0, 390), (1, 1280)], ids=["dark phone", "light desk"])
def test_a_browser_shows_it_whole(page: str, tmp_path: Path, scheme: int, width: int) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    probe = (
        "<script>onload=()=>{const f=document.querySelector('iframe'),d=f.contentDocument,r=d.documentElement;"
        "const s=[...d.querySelectorAll('section svg')].map(x=>x.getBoundingClientRect());"
        "document.body.innerHTML='<p id=found>'+[r.scrollWidth,s.length,Math.min(...s.map(x=>x.width)),"
        "Math.max(...s.map(x=>x.right)),getComputedStyle(d.querySelector('svg text')).fill,"
        "Math.max(...[...d.querySelectorAll('.wide,.wide tbody *')].map(x=>x.getBoundingClientRect().right)),"
        "[...d.querySelectorAll('.wide')].filter(x=>x.scrollWidth>x.clientWidth).length,"
        "getComputedStyle(d.querySelector('.wide td[data-label]'),'::before').content].join('|')+'</p>'}</script>"
    )
    (tmp_path / "bench.html").write_text(page, encoding="utf-8")
    frame = f'<iframe src="bench.html" style="width:{width}px;height:900px;border:0"></iframe>'
    (tmp_path / "outer.html").write_text(
        f'<!DOCTYPE html><html><head><link rel="icon" href="data:,"></head><body>{frame}{probe}</body></html>',
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            *(CHROMIUM, *OPTIONS, "--allow-file-access-from-files", f"--user-data-dir={tmp_path}/profile"),
            *(f"--blink-settings=preferredColorScheme={scheme}", f"file://{tmp_path}/outer.html"),
        ],
        capture_output=True,
        timeout=180,
        check=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert not [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    found = re.search(r"<p id=\"found\">(.*?)</p>", done.stdout.decode())
    assert found, done.stdout[-500:]
    scrolled, plots, narrowest, right, ink, tables, sideways, heading = found[1].split("|")
    assert int(scrolled) <= width
    assert int(plots) == 8
    assert float(narrowest) > 300
    assert float(right) <= width
    assert float(tables) <= width, "no cell is beyond the edge"
    assert int(sideways) == 0, "and no table scrolls by itself"
    assert ("batch" in heading or "ms" in heading) is (width == 390), "there each number has its heading before it"
    assert ink == ("rgb(228, 230, 234)" if scheme == 0 else "rgb(26, 28, 31)")
