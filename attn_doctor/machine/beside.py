"""Folders that an environment imports from besides its own: what `.pth` files and PYTHONPATH name.

An environment laid over another, a checkout installed by `pip install --editable`, the modules of a cluster. As
Python's site module reads them: a line of a `.pth` file is a folder, absolute or from where the file lies; one that
begins with `import` is run, and here left alone. What setuptools runs there instead of naming a folder is read from its
table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.machine.host import CannotLook, Host, join


def followed(host: Host, sites: tuple[str, ...]) -> tuple[str, ...]:
    """The sites, each followed by what its `.pth` files name; eggs are left out."""
    found = (folder for site in sites for folder in (site, *_named(host, site)))
    return tuple(dict.fromkeys(found))


def python_path(host: Host) -> tuple[str, ...]:
    """The folders of PYTHONPATH."""
    separator = ";" if host.system()[0] == "windows" else ":"
    entries = (host.env("PYTHONPATH") or "").split(separator)
    return tuple(entry for entry in dict.fromkeys(entries) if entry and host.is_dir(entry))


def _named(host: Host, site: str) -> Iterator[str]:
    for entry in _listed(host, site):
        if entry.endswith(".pth") and not entry.startswith("."):
            yield from _lines(host, site, _text(host, join(site, entry)))
        elif entry.startswith("__editable___") and entry.endswith("_finder.py"):
            yield from _mapped(host, _text(host, join(site, entry)))


def _lines(host: Host, site: str, text: str) -> Iterator[str]:
    for line in text.splitlines():
        folder = line.strip()
        if folder and not folder.startswith(("#", "import ", "import\t")) and not folder.endswith(".egg"):
            place = folder if folder.startswith("/") or folder[1:2] == ":" else join(site, folder)
            if host.is_dir(place):
                yield place


def _mapped(host: Host, text: str) -> Iterator[str]:
    """The folders that hold the packages of an editable install, of those that lie there under their own names."""
    for name, place in re.findall(r"'(\w+)': '([^'\n]+)'", text):
        folder, _, last = place.replace("\\\\", "/").rpartition("/")
        if last == name and host.is_dir(folder):
            yield folder


def _listed(host: Host, site: str) -> tuple[str, ...]:
    try:
        return host.list_dir(site)
    except CannotLook:  # the probes say so, each of what it looks for
        return ()


def _text(host: Host, path: str) -> str:
    try:
        return host.read_text(path) or ""
    except CannotLook:  # one unreadable file adds nothing, and takes nothing away
        return ""
