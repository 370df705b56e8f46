"""What a project's block is made from, and how projects are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from attn_doctor import __version__
from attn_doctor.discovery import discover
from attn_doctor.errors import UsageError
from attn_doctor.knowledge import issue_templates
from attn_doctor.knowledge.spelling import did_you_mean

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.judgement.view import Machine

SCHEMA = "attn-doctor/issue/1"
NOT_READ = "not read (torch was not run)"


class Line(msgspec.Struct, frozen=True):
    """One line that a form asks for, in the form's own name for it. `value` is "" for a heading or a blank line."""

    name: str
    value: str


class Project(msgspec.Struct, frozen=True):
    """A project: its name, what its form wants, and how lines become the text to paste."""

    name: str
    lines: Callable[[Machine, Report], Iterable[Line]]
    render: Callable[[Sequence[Line]], str]


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """The environment block of a report. `body` is the markdown to paste."""

    schema: str = SCHEMA
    version: str = __version__
    project: str
    repository: str
    field: str | None  # of the project's form
    asks_for: str
    lines: tuple[Line, ...]
    body: str
    source: str
    as_of: str


@cache
def projects() -> dict[str, Project]:
    """Every project of this folder, by name, sorted."""
    found: list[Project] = [module.PROJECT for module in discover(__package__ or "")]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def project(name: str) -> Project:
    """The project of that name. Raises UsageError with the nearest."""
    known = projects()
    spelled = {"torch": "pytorch", "flash-attn": "flash-attention", "fa2": "flash-attention"}
    wanted = name.lower().replace("_", "-")
    found = known.get(spelled.get(wanted, wanted))
    if found is not None:
        return found
    instead = did_you_mean(wanted, {one: one for one in known} | spelled)
    raise UsageError(f"there is no project {name!r}", f"{instead}Projects: {', '.join(known)}.")


def write(one: Project, machine: Machine, report: Report, hide: Callable[[str], str]) -> Issue:
    """The block of a project from facts. `hide` takes out of every value what is nobody's business."""
    row = issue_templates.template(one.name)
    lines = tuple(Line(line.name, hide(line.value)) for line in one.lines(machine, report))
    return Issue(
        project=one.name,
        repository=row.repository,
        field=row.field,
        asks_for=row.asks_for,
        lines=lines,
        body=one.render(lines),
        source=row.source,
        as_of=issue_templates.as_of(),
    )
