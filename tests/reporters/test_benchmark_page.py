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
    from pathlib import Path

MS = {"eager": 40.0, "sdpa": 8.0, "flash_attention_2": 6.0}


def whole() -> Benchmark:
    """The documents' grid on a GPU, with made-up times."""
    rows = []
    for shape in presets()["documents"].shapes("bf16"):
        for direction in ("forward", "backward", "both"):
            for name, ms in MS.items():
                fits = name != "eager" or shape.length < 16384
                rows.append(
                    Timing(
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
                )
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
        timings=tuple(rows),
        largest=(Largest(subject="sdpa", shape=rows[0].shape, batch=96, stopped="no memory"),),
        steps=(step,),
    )


@pytest.fixture(scope="module")
def page() -> str:
    return _benchmark_page.page(whole())


def test_every_plot_is_there_and_is_well_formed(page: str) -> None:
    drawn = re.findall(r"<svg .*?</svg>", page, re.DOTALL)
    kinds = 2 * 2 * 3  # head dimensions, masks, directions
    assert len(drawn) == 4 * kinds
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
    assert page.count('<th scope="row">flash_attention_2</th>') == 24 * 3
    assert "OutOfMemoryError" in page
    assert "41.0%" in page
    assert ">96<" in page


def test_one_shape_gives_bars_and_nothing_gives_a_page() -> None:
    one = whole()
    first = replace(
        one, timings=tuple(row for row in one.timings if row.shape == one.timings[0].shape), steps=(), largest=()
    )
    assert _benchmark_page.page(first).count("<svg ") == 4 * 3
    assert "Nothing was measured" in _benchmark_page.page(replace(one, timings=(), steps=(), largest=()))


def test_a_picture() -> None:
    one = whole()
    few = replace(one, timings=tuple(row for row in one.timings if row.shape.head_dim == 64 and row.shape.causal))
    assert _plots.png(few).startswith(b"\x89PNG\r\n")
    assert _plots.png(replace(one, timings=())).startswith(b"\x89PNG\r\n")


@pytest.mark.xdist_group("chromium")
@pytest.mark.parametrize(("scheme", "width"), [(0, 390), (1, 1280)], ids=["dark phone", "light desk"])
def test_a_browser_shows_it_whole(page: str, tmp_path: Path, scheme: int, width: int) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    probe = (
        "<script>onload=()=>{const f=document.querySelector('iframe'),d=f.contentDocument,r=d.documentElement;"
        "const s=[...d.querySelectorAll('section svg')].map(x=>x.getBoundingClientRect());"
        "document.body.innerHTML='<p id=found>'+[r.scrollWidth,s.length,Math.min(...s.map(x=>x.width)),"
        "Math.max(...s.map(x=>x.right)),getComputedStyle(d.querySelector('svg text')).fill].join('|')+'</p>'}</script>"
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
    scrolled, plots, narrowest, right, ink = found[1].split("|")
    assert int(scrolled) <= width
    assert int(plots) == 16
    assert float(narrowest) > 300
    assert float(right) <= width
    assert ink == ("rgb(228, 230, 234)" if scheme == 0 else "rgb(26, 28, 31)")
