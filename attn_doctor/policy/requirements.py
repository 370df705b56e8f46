"""Where the project asks for a package: the line that a finding about that package points to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from attn_doctor.errors import BadPolicy
from attn_doctor.judgement.report import Finding, Location, Report
from attn_doctor.machine.target import normalise
from attn_doctor.policy import files
from attn_doctor.policy.find import PYPROJECT, project, shown

if TYPE_CHECKING:
    from attn_doctor.policy.places import Path

NAME = re.compile(r"\s*(?P<name>[A-Za-z0-9][\w.-]*)")
REQUIREMENTS = re.compile(r"requirements[\w.-]*\.(txt|in)")
# nearly every finding speaks of it: another package that is named comes before it
LAST = "torch"


def located(report: Report, folder: str | None = None) -> Report:
    """The report whose findings about a package point to where the project asks for it."""
    if all(one.location for one in report.findings):
        return report
    asked = where_asked(folder)
    if not asked:
        return report
    findings = tuple(one if one.location else _located(one, asked) for one in report.findings)
    return msgspec.structs.replace(report, findings=findings)


def _located(finding: Finding, asked: dict[str, Location]) -> Finding:
    named = f"{finding.title} {finding.detail}"
    for name in sorted(asked, key=lambda one: (one == LAST, one)):
        # as people write it: flash-attn, flash_attn; and not inside a longer name, a path or a URL
        pattern = r"(?<![\w./-])" + re.escape(name).replace(r"\-", "[-_]") + r"(?![\w/-]|\.\w)"
        if re.search(pattern, named):
            return msgspec.structs.replace(finding, location=asked[name])
    return finding


def where_asked(folder: str | None = None) -> dict[str, Location]:
    """Each package that the project names, with the first place: pyproject.toml, then requirements*.txt."""
    found: dict[str, Location] = {}
    for here in project(folder):
        try:
            listed = sorted(os.listdir(here))
        except OSError:
            continue
        requirements = [name for name in listed if REQUIREMENTS.fullmatch(name)]
        if PYPROJECT not in listed and not requirements:
            continue
        for name in (PYPROJECT, *requirements):
            path = os.path.join(here, name)
            read = _of_pyproject if name == PYPROJECT else _of_requirements
            for package, at in read(path):
                found.setdefault(package, at)
        return found
    return found


def _of_pyproject(path: str) -> Iterator[tuple[str, Location]]:
    from attn_doctor.policy import toml
    from attn_doctor.policy.places import places

    data = _bytes(path)
    try:
        text, document = toml.parse(data, path) if data else ("", {})
    except BadPolicy:
        return  # it is no policy that is read here: whoever needs the file will say what is wrong with it
    at = places(text) if document else {}
    for place, package in _demands(document):
        if place in at:
            yield normalise(package), Location(shown(path), *at[place])


def _demands(document: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    lists: list[tuple[Path, object]] = [(("project", "dependencies"), _within(document, "project", "dependencies"))]
    for groups_at in (("project", "optional-dependencies"), ("dependency-groups",)):
        groups = _within(document, *groups_at)
        lists += [((*groups_at, name), group) for name, group in groups.items()] if isinstance(groups, dict) else []
    for path, entries in lists:
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, str) and (found := NAME.match(entry)):
                yield (*path, number), found["name"]
    for table in _tables(document):
        named = _within(document, *table)
        yield from (((*table, name), name) for name in (named if isinstance(named, dict) else ()))


def _tables(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Where a key is the name of a package."""
    yield from (("tool", "pixi", "dependencies"), ("tool", "pixi", "pypi-dependencies"))
    yield ("tool", "poetry", "dependencies")
    groups = _within(document, "tool", "poetry", "group")
    yield from (
        ("tool", "poetry", "group", name, "dependencies") for name in (groups if isinstance(groups, dict) else ())
    )


def _within(document: object, *keys: str) -> object:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _of_requirements(path: str) -> Iterator[tuple[str, Location]]:
    text = (_bytes(path) or b"").decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        found = NAME.match(line)
        if found:
            yield normalise(found["name"]), Location(shown(path), number, found.start("name") + 1)


def _bytes(path: str) -> bytes | None:
    try:
        return files.read(path).data
    except OSError:
        return None
