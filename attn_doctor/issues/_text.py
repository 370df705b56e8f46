"""Lines as markdown: a fenced block that opens on a click, so that a long one does not bury the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attn_doctor.issues._project import Line

BY = "Read from files by attn-doctor, torch not run."


def plain(line: Line) -> str:
    """'PyTorch version: 2.13.0', as collect_env writes it."""
    if not line.value:
        return f"{line.name}:" if line.name else ""
    return f"{line.name} {line.value}" if line.name.startswith("[") else f"{line.name}: {line.value}"


def fenced(lines: Iterable[str], summary: str | None = None) -> str:
    """A block of text. What it holds cannot end it: the fence is longer than any inside."""
    body = "\n".join(lines)
    ticks = "```"
    while ticks in body:
        ticks += "`"
    block = f"{ticks}text\n{body}\n{ticks}\n"
    return f"<details>\n<summary>{summary}</summary>\n\n{block}\n</details>\n" if summary else block


def in_two(lines: Sequence[Line], summary: str, second: str = "attn-doctor check") -> str:
    """What the form asks for, and folded below it what attn-doctor makes of that; a heading divides them."""
    at = next((number for number, line in enumerate(lines) if line.name == second), len(lines))
    first = fenced(map(plain, lines[:at]), summary)
    rest = fenced(map(plain, lines[at + 1 :]), second) if lines[at + 1 :] else ""
    return f"{BY}\n\n{first}\n{rest}".rstrip() + "\n"
