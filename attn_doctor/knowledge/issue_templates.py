"""What projects ask for in a report of a bug, and in which field of their form it goes."""

import msgspec

from attn_doctor.knowledge.tables import load


class Template(msgspec.Struct, frozen=True):
    """The form of one project. `field` is None where there is no form."""

    project: str
    distribution: str
    repository: str
    asks_for: str
    source: str
    field: str | None = None


class _Table(msgspec.Struct, frozen=True):
    as_of: str
    rows: tuple[Template, ...]


def template(project: str) -> Template:
    """The form of that project."""
    table: _Table = load("issue_templates", _Table)
    return next(row for row in table.rows if row.project == project)


def as_of() -> str:
    """The day the table was checked."""
    table: _Table = load("issue_templates", _Table)
    return table.as_of
