"""The versions that a lock holds: uv.lock, pylock.toml, poetry.lock, and requirements with pins."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from attn_doctor.errors import BadInput
from attn_doctor.knowledge.versions import local, numbers
from attn_doctor.machine.probes.packages import build_of_file
from attn_doctor.machine.target import normalise
from attn_doctor.policy import files, toml

LOCKS = ("uv.lock", "pylock.toml", "poetry.lock", "requirements.txt")
LIMIT_BYTES = 64 << 20
DEEPEST = 8  # requirements that name requirements
# the folder of an index of torch's own: the build that is taken from it
VARIANT = re.compile(r"/whl/(?:nightly/|test/)?(?P<variant>cu\d+|cpu|rocm[\d.]+|xpu)(?:/|$)")
PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:===?\s*(?P<version>[^\s;,#]+)|@\s*(?P<url>[^\s;]+))"
)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
# what is pinned to one version: no 2.8.*
VERSION = re.compile(r"\d[\w.+-]*")
INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=)(?P<file>\S+)")
INDEX = re.compile(r"(?:-i|--index-url|--extra-index-url|-f|--find-links)(?:\s+|=)(?P<url>\S+)")


class Line(msgspec.Struct, frozen=True):
    """What a requirements file says, as pip joins it. `indexes`: those that count for it."""

    file: str
    line: int
    said: str
    indexes: tuple[str, ...]


class Locked(msgspec.Struct, frozen=True):
    """A package of a lock. `url`: the file or repository that it comes from, where the lock names one."""

    name: str
    version: str
    url: str | None
    file: str
    line: int

    @property
    def as_installed(self) -> str:
        """The version with what the file was built for: 2.8.3+cu12torch2.8cxx11abiTRUE."""
        build = build_of_file(self.url) if self.url else None
        return f"{self.version}+{build}" if build and local(self.version) is None else self.version


def kind(file: str) -> str | None:
    """'uv', 'pylock', 'poetry' or 'requirements' by the name of the file; None for any other."""
    name = os.path.basename(file)
    if name in ("uv.lock", "poetry.lock"):
        return name.partition(".")[0]
    if re.fullmatch(r"pylock(\.[^.]+)?\.toml", name):
        return "pylock"
    return "requirements" if name.endswith((".txt", ".in")) else None


def read(path: str, shown: str, wanted: Collection[str], environment: Mapping[str, str]) -> dict[str, Locked]:
    """The wanted packages as they come onto a machine of that environment (the markers of PEP 508). Raises BadInput."""
    text = _text(path, shown)
    if kind(path) == "requirements":
        entries = [*_requirements(path, shown, text, environment)]
    else:
        entries = [*_blocks(text, shown, wanted, environment)]
    found: dict[str, Locked] = {}
    for entry in entries:
        if not VERSION.fullmatch(entry.version):
            continue
        before = found.get(entry.name)
        if entry.name in wanted and (before is None or _rank(entry) > _rank(before)):
            found[entry.name] = entry
    return found


def loose(path: str, shown: str, package: str, environment: Mapping[str, str]) -> Line | None:
    """Where requirements ask for a package without pinning it: `said` is 'torch>=2'. None for other kinds of locks."""
    if kind(path) != "requirements":
        return None
    for one in _lines(path, shown, _text(path, shown)):
        found = NAME.match(one.said)
        if found and normalise(found[0]) == package and _asked(one.said, environment):
            said = one.said.partition(";")[0].partition(" --")[0].strip()
            return msgspec.structs.replace(one, said=said)
    return None


def _rank(entry: Locked) -> tuple[bool, tuple[int, ...]]:
    """Of several builds for one platform, the one for GPUs: where a lock holds both, an extra chooses."""
    return (not (local(entry.version) or "cuda").startswith("cpu"), numbers(entry.version))


def _text(path: str, shown: str) -> str:
    try:
        data = files.read(path, LIMIT_BYTES).data
    except OSError as error:
        raise BadInput(f"cannot read {shown}: {error.strerror}") from error
    if len(data) > LIMIT_BYTES:
        raise BadInput(f"{shown}: larger than {LIMIT_BYTES >> 20} MiB: that is no lock")
    return data.decode("utf-8-sig", "replace")


# --- the locks that are TOML: a table for each package; only those of interest are read


def _blocks(text: str, shown: str, wanted: Collection[str], environment: Mapping[str, str]) -> Iterator[Locked]:
    parts = re.split(r"^(\[\[packages?\]\][ \t]*\r?\n)", text, flags=re.MULTILINE)
    line = parts[0].count("\n") + 1
    for heading, block in zip(parts[1::2], parts[2::2], strict=True):
        name = re.search(r"""^name\s*=\s*["']([^"']+)["']""", block, re.MULTILINE)
        if name and normalise(name[1]) in wanted:
            _, document = toml.parse(_alone(heading + block).encode(), f"{shown} (from line {line})")
            entry = next(iter(document.values()))[0]
            if _applies(entry, environment) and (locked := _locked(entry, shown, line)):
                yield locked
        line += heading.count("\n") + block.count("\n")


def _alone(block: str) -> str:
    """A package without the tables that come after the last one."""
    end = re.search(r"^\[(?!\[?packages?[.\]])", block, re.MULTILINE)
    return block[: end.start()] if end else block


def _applies(entry: dict[str, Any], environment: Mapping[str, str]) -> bool:
    """Whether the entry is for that environment: any of uv's resolution markers, pylock's and poetry's marker."""
    markers = entry.get("resolution-markers") or [entry.get("marker") or entry.get("markers")]
    texts = [marker for marker in _listed(markers) if isinstance(marker, str)]
    return not texts or any(_holds(text, environment) for text in texts)


def _holds(marker: str, environment: Mapping[str, str]) -> bool:
    from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName

    # uv marks what an extra of the project chooses by an extra of its own making: either may be installed
    bare = re.sub(r"extra\s*[!=]=\s*(['\"])extra-\d[^'\"]*\1", "python_version >= '3'", marker)
    try:
        return Marker(bare).evaluate({**environment, "extra": ""})
    except (InvalidMarker, UndefinedComparison, UndefinedEnvironmentName):
        return True


def _locked(entry: dict[str, Any], shown: str, line: int) -> Locked | None:
    name, version = normalise(str(entry["name"])), entry.get("version")
    source = entry.get("source")
    source = source if isinstance(source, dict) else {}
    archive = entry.get("archive") or entry.get("vcs") or {}
    url = source.get("url") if source.get("type") != "legacy" else None
    url = url or source.get("git") or (archive.get("url") if isinstance(archive, dict) else None)
    if not isinstance(version, str):
        return None
    url = url if isinstance(url, str) else None
    places = (source.get("registry"), source.get("url"), entry.get("index"), *_wheels(entry))
    return Locked(name, _with_variant(name, version, places), url, shown, line)


def _wheels(entry: dict[str, Any]) -> Iterator[str]:
    for wheel in _listed(entry.get("wheels")):
        if isinstance(wheel, dict) and isinstance(wheel.get("url"), str):
            yield wheel["url"]


def _listed(value: object) -> list[Any]:
    """Of a lock written by hand: what should be a list may be anything."""
    return value if isinstance(value, list) else []


def _with_variant(name: str, version: str, places: Collection[object]) -> str:
    """A torch that says nothing of its build is the one that its index carries."""
    if name != "torch" or local(version):
        return version
    version = version if "." in version else f"{version}.0"
    found = next((match for place in places if isinstance(place, str) and (match := VARIANT.search(place))), None)
    return f"{version}+{found['variant']}" if found else version


# --- requirements


def _requirements(path: str, shown: str, text: str, environment: Mapping[str, str]) -> Iterator[Locked]:
    for one in _lines(path, shown, text):
        found = PIN.match(one.said)
        if found is None or not _asked(one.said, environment):
            continue
        name, url = normalise(found["name"]), found["url"]
        version = found["version"] or _version_of_file(url)
        if version:
            yield Locked(name, _with_variant(name, version, (url, *one.indexes)), url, one.file, one.line)


def _asked(said: str, environment: Mapping[str, str]) -> bool:
    """Whether the marker of a requirement, if it has one, holds there."""
    marker = said.partition(";")[2].partition(" --")[0].strip()
    return not marker or _holds(marker, environment)


def _lines(path: str, shown: str, text: str, outer: tuple[str, ...] = (), depth: int = 0) -> Iterator[Line]:
    """Those of the file and of the files that it names.

    `outer`: the indexes of the one that named it; to pip they count for both.
    """
    own = [match["url"] for match in map(INDEX.match, text.splitlines()) if match]
    indexes = (*own, *outer)
    for line, said in _logical(text):
        include = INCLUDE.match(said)
        if include and "://" in include["file"]:
            continue  # no network is asked for a lock
        if include and depth < DEEPEST:
            beside = os.path.join(os.path.dirname(path), include["file"])
            name = os.path.join(os.path.dirname(shown), include["file"])
            yield from _lines(beside, name, _text(beside, name), indexes, depth + 1)
            continue
        yield Line(shown, line, said, indexes)


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines as pip joins them, without comments, each with the number of its first."""
    kept, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first if kept else number
        kept += re.sub(r"(^|\s)#.*", "", line)
        if kept.endswith("\\"):
            kept = kept[:-1] + " "
            continue
        if kept.strip():
            yield first, kept.strip()
        kept = ""
    if kept.strip():
        yield first, kept.strip()


def _version_of_file(url: str) -> str | None:
    """'2.8.3+cu12torch2.8cxx11abiTRUE' from the address of a wheel."""
    parts = url.rpartition("/")[2].partition("#")[0].replace("%2B", "+").replace("%2b", "+").split("-")
    return parts[1] if len(parts) > 1 and parts[-1].endswith(".whl") else None
