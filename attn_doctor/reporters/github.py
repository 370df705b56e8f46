"""GitHub's workflow commands: an annotation for each finding, and the report as text in a group of the log.

How a command is escaped stands in the runner's source: `%` and line ends in what is said, `:` and `,` besides in a
property. What follows from facts may not become a command of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.reporters import text
from attn_doctor.reporters._entries import entries

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.reporters._entries import Entry

COMMANDS = {"error": "error", "warning": "warning", "info": "notice"}
DATA = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
PROPERTY = (*DATA, (":", "%3A"), (",", "%2C"))
# what the runner takes for a command in a line: `::` at its beginning, `##[` anywhere
A_COMMAND = re.compile(r"^(\s*):(?=:)|##(?=\[)")


def render(report: Report, *, verbose: bool, elapsed_s: float | None, plain: bool) -> str:  # noqa: ARG001 - a log has no terminal
    """Annotations first, most severe first; the log shows the group behind them folded."""
    said = text.render(report, verbose=verbose, elapsed_s=elapsed_s, plain=True)
    lines = (*map(annotation, entries(report)), "::group::attn-doctor check", *map(no_command, said.splitlines()))
    return "".join(f"{line}\n" for line in (*lines, "::endgroup::"))


def annotation(entry: Entry) -> str:
    """'::error title=AD103 ...::detail'."""
    command = "notice" if entry.ignored else COMMANDS[entry.severity]
    properties = ",".join(f"{name}={_escaped(value, PROPERTY)}" for name, value in _properties(entry))
    # the runner ends a command's beginning at the next `::`; one that stands in a property is escaped
    return f"::{command} {properties}::{_escaped(_message(entry), DATA)}"


def _properties(entry: Entry) -> Iterator[tuple[str, str]]:
    if entry.location is not None:
        yield "file", entry.location.file
        yield "line", str(entry.location.line)
        yield "col", str(entry.location.column)
    yield "title", f"{entry.code}{' (ignored)' if entry.ignored else ''} {entry.title}"


def _message(entry: Entry) -> str:
    return "\n".join((entry.detail, *(f"{'or' if number else 'fix'}: {fix}" for number, fix in enumerate(entry.fix))))


def _escaped(value: str, characters: tuple[tuple[str, str], ...]) -> str:
    for character, written in characters:  # `%` first: it stands in what the others become
        value = value.replace(character, written)
    return value


def no_command(line: str) -> str:
    """The same line, which the runner prints and does not obey."""
    return A_COMMAND.sub(lambda found: f"{found[1]}: " if found[1] is not None else "# #", line)
