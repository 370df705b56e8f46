"""The page: whole by itself, legible in light and dark, on a desk and on a phone; at the end, in a real Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings

from attn_doctor.judgement.report import Finding, Report
from attn_doctor.reporters import _page
from reporters import shapes
from reporters.shapes import machines, rendered, with_findings

VOID = {"meta", "link", "br"}


class Read(HTMLParser):
    """Text and elements of a page; one that is closed in the wrong order fails."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, list[str]] = {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "br":
            self.handle_data("\n")
        if tag not in VOID:
            self.open.append(tag)
            self.text.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.text[tag][-1] += data


@settings(max_examples=100)
@given(shapes.findings)
def test_any_finding_is_text_and_nothing_else(one: Finding) -> None:
    empty = Read(rendered(with_findings(), "html"))
    page = Read(rendered(with_findings(one), "html"))
    new = {tag for tag, _ in page.elements} - {tag for tag, _ in empty.elements}
    assert new <= {"h2", "h3", "article", "span", "details", "summary", "ul", "li", "pre", "div", "br", "p", "code"}
    assert [line.strip() for line in shapes.harmless(one.detail).split("\n")] in [
        [line.strip() for line in said.split("\n")] for said in page.text["p"]
    ]
    assert shapes.one_line(one.title) in page.text["h3"][0]
    commands = page.text.get("pre", [])
    for fix in one.fix:
        assert shapes.one_line(fix) in commands


def test_nothing_is_loaded_and_nothing_runs() -> None:
    for report in list(machines().values())[::10]:
        page = Read(rendered(report, "html", verbose=True))
        for tag, attributes in page.elements:
            assert tag not in ("script", "img", "iframe", "object", "embed", "form", "base", "a")
            assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "srcset")]
            assert attributes.get("href", "data:,") == "data:,"
        assert "url(" not in page.text["style"][0]
        assert "@import" not in page.text["style"][0]


def test_the_outline_can_be_walked() -> None:
    page = Read(rendered(machines()["linux-rtx5090-2.5.1cu124-no-code"], "html"))
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
    assert ("html", {"lang": "en"}) in page.elements
    named = {attributes["id"] for _, attributes in page.elements if attributes.get("id")}
    assert {
        attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes
    } == named
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th")


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Of WCAG 2.2, 1.4.3."""
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [_page.LIGHT, _page.DARK], ids=["light", "dark"])
def test_every_colour_can_be_read_on_its_ground(colours: dict[str, str]) -> None:
    assert _page.LIGHT.keys() == _page.DARK.keys()
    for name in colours.keys() - {"ground", "box", "line"}:
        assert contrast(colours[name], colours["ground"]) >= 4.5, name
    assert contrast(colours["text"], colours["box"]) >= 4.5
    assert round(contrast("#000000", "#ffffff")) == 21


def test_ignored_is_said_in_words() -> None:
    found = machines().values()
    ignored = next(report for report in found if any(one.ignored for one in report.findings))
    assert ", ignored" in Read(rendered(ignored, "html")).text["article"][0]


# --- in a browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--enable-logging=stderr", "--v=0"),
    *("--hide-scrollbars", "--dump-dom"),
)
WIDTHS = (390, 1280)
# each page in a frame of each width; what is measured there is written into the outer page
OUTER = """<!DOCTYPE html><html><head><link rel="icon" href="data:,"></head><body>%s<script>
onload = () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const inner = frame.contentDocument, root = inner.documentElement;
    const style = one => frame.contentWindow.getComputedStyle(one);
    const text = one => [...one.childNodes].some(node => node.nodeType == 3 && node.data.trim());
    const shown = [...inner.body.querySelectorAll("*")].filter(text);
    const right = one => one.getBoundingClientRect().right;
    return {
      page: frame.dataset.page, width: root.clientWidth, content: root.scrollWidth, text: inner.body.innerText,
      beyond: shown.filter(one => right(one) > root.clientWidth + 1).map(one => one.outerHTML.slice(0, 200)),
      smallest: Math.min(...shown.map(one => parseFloat(style(one).fontSize))),
      ground: style(inner.body).backgroundColor,
    };
  });
  document.body.innerHTML = "<pre id=found></pre>";
  document.getElementById("found").textContent = JSON.stringify(found);
};
</script></body></html>"""


def long_words() -> Report:
    """A finding without a blank to break a line at, and one with a long command."""
    path = "/opt/" + "averylongfolder" * 12
    command = f"{path}/bin/python -m pip install torch==2.7.1+cu128 --index-url https://index.example.org/whl/cu128"
    said = {"severity": "error", "evidence": (path,), "docs": "", "ignored": False}
    return with_findings(
        Finding(code="AD407", title=path, detail=f"libtorch.so lies in {path}", fix=(command,), **said),
        Finding(code="AD214", title="a toolkit", detail="<b>bold</b> & <script>alert(1)</script>", fix=(), **said),
    )


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012 - of one test

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        Quiet.asked.append(self.path)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    folder = tmp_path_factory.mktemp("pages")
    reports = {name: machines()[name] for name in ("linux-rtx5090-2.5.1cu124-no-code", "linux-8xa100-2.8.0-seed004")}
    frames = []
    for name, report in {**reports, "long": long_words()}.items():
        (folder / f"{name}.html").write_text(rendered(report, "html", verbose=name == "long"), encoding="utf-8")
        frames += [
            f'<iframe src="{name}.html" data-page="{name}" style="width:{width}px;height:900px;border:0"></iframe>'
            for width in WIDTHS
        ]
    (folder / "outer.html").write_text(OUTER % "".join(frames), encoding="utf-8")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.xdist_group("chromium")
@pytest.mark.parametrize(
    ("scheme", "ground"), [(1, _page.LIGHT["ground"]), (0, _page.DARK["ground"])], ids=["light", "dark"]
)
def test_a_browser_shows_it_whole(pages: tuple[Path, str], tmp_path: Path, scheme: int, ground: str) -> None:
    assert CHROMIUM is not None
    folder, address = pages
    Quiet.asked.clear()
    theme = f"--blink-settings=preferredColorScheme={scheme}"
    done = subprocess.run(
        [CHROMIUM, *OPTIONS, theme, f"--user-data-dir={tmp_path}", f"{address}/outer.html"],
        capture_output=True,
        timeout=120,
        check=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert not [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    dom = re.search(r'<pre id="found">(.*?)</pre>', done.stdout.decode(), re.DOTALL)
    assert dom, done.stdout[-2000:]
    found = json.loads(Read(f"<p>{dom[1]}</p>").text["p"][0])
    assert len(found) == 6
    rgb = "rgb({}, {}, {})".format(*(int(ground[place : place + 2], 16) for place in (1, 3, 5)))
    for one in found:
        assert one["width"] in WIDTHS
        assert one["content"] <= one["width"], one
        assert one["beyond"] == []
        assert one["smallest"] >= 13
        assert one["ground"] == rgb
    assert "<script>alert(1)</script>" in found[-1]["text"]
    asked = {path for path in Quiet.asked if path != "/outer.html"}
    assert asked == {f"/{file.name}" for file in folder.glob("*.html") if file.name != "outer.html"}
