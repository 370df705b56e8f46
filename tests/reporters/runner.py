"""How the runner of GitHub Actions reads a line of a step's output, written after its documented rules.

https://github.com/actions/toolkit/blob/main/docs/commands.md, and how the runner takes a command apart: leading blanks
are passed over; `::`, the command, a blank, properties cut at commas and at their first `=`, `::`, the data. What is
escaped is put back in this order: %0D, %0A, (%3A, %2C in properties), %25.
"""

from __future__ import annotations

from typing import NamedTuple

KNOWN = {"error", "warning", "notice", "debug", "group", "endgroup", "add-mask", "stop-commands", "echo"}
KNOWN |= {"set-output", "save-state", "set-env", "add-path", "add-matcher", "remove-matcher"}
DATA = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
PROPERTY = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))


class Command(NamedTuple):
    name: str
    properties: dict[str, str]
    data: str


def commands(output: str) -> list[Command]:
    """Every command in what a step printed. A line ends at LF, CR or both."""
    lines = output.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [found for found in map(command, lines) if found is not None]


def command(line: str) -> Command | None:
    return _of_today(line) or _of_old(line)


def _of_today(line: str) -> Command | None:
    line = line.lstrip()
    if not line.startswith("::"):
        return None
    end = line.find("::", 2)
    if end < 0:
        return None
    name, blank, rest = line[2:end].partition(" ")
    if name not in KNOWN:
        return None
    properties = {}
    for one in filter(None, rest.strip().split(",")) if blank else ():
        key, equals, value = one.partition("=")
        if equals:
            properties[key] = _back(value, PROPERTY)
    return Command(name, properties, _back(line[end + 2 :], DATA))


def _of_old(line: str) -> Command | None:
    """`##[error]text` anywhere in the line; properties are cut at semicolons."""
    start = line.find("##[")
    end = line.find("]", start)
    if start < 0 or end < 0:
        return None
    name, _, rest = line[start + 3 : end].partition(" ")
    return Command(name, {"old": rest}, line[end + 1 :]) if name in KNOWN | {"section", "command"} else None


def _back(text: str, written: tuple[tuple[str, str], ...]) -> str:
    for code, character in written:
        text = text.replace(code, character)
    return text
