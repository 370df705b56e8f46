"""`attn_doctor.check()` in a notebook: IPython's own formatter, and the page in a real browser where there is one."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import msgspec

import imagined
from attn_doctor.machine import whatif
from attn_doctor.notebook import Shown, shown
from support import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

KEYS = ["gpu=NVIDIA L4", "torch=2.8.0", "driver=none"]
CELL = """
import json
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
report = shell.run_cell("import attn_doctor\\nattn_doctor.check(what_if=['gpu=NVIDIA L4', 'torch=2.8.0'])").result
data, metadata = shell.display_formatter.format(report)
print(json.dumps(data))
"""


class Frames(HTMLParser):
    """The elements of a fragment, and the attributes of its frames."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.frames: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "iframe":
            self.frames.append(dict(attrs))


def test_a_cell_shows_the_page_and_text_beside_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CELL],
        env=clean_environment() | {"IPYTHONDIR": str(tmp_path), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout.splitlines()[-1])
    assert set(data) == {"text/plain", "text/html"}
    assert "sdpa" in data["text/plain"]
    found = Frames()
    found.feed(data["text/html"])
    assert found.tags == ["iframe"], "one element: no style of it reaches the notebook"
    frame = found.frames[0]
    assert frame["sandbox"] == "", "no script"
    page = frame["srcdoc"] or ""
    assert page.startswith("<!DOCTYPE html>")
    inside = Frames()
    inside.feed(page)
    assert {"h1", "table"} <= set(inside.tags)
    assert "script" not in inside.tags
    assert str(tmp_path) not in page, "the home folder stays out of what is shared"


def test_it_is_a_report_like_any_other() -> None:
    report, document = imagined.quick(whatif.simulate(KEYS))
    one = shown(report)
    assert isinstance(one, Shown)
    assert json.loads(msgspec.json.encode(one)) == document
    assert one._repr_html_() == one._repr_mimebundle_()["text/html"]
    assert "NVIDIA L4" in one._repr_html_()


def test_text_of_the_machine_ends_no_attribute() -> None:
    report, _ = imagined.quick(whatif.simulate(KEYS))
    finding = msgspec.structs.replace(report.findings[0], detail='"></iframe><script>alert(1)</script>')
    one = shown(msgspec.structs.replace(report, findings=(finding,)))
    found = Frames()
    found.feed(one._repr_html_())
    assert found.tags == ["iframe"]
