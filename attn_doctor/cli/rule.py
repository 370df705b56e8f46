"""attn-doctor rule."""

from __future__ import annotations

from textwrap import wrap
from typing import Annotated

import typer

from attn_doctor.cli import options
from attn_doctor.errors import UsageError

WIDTH = 80


def rule(
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="A finding code such as AD103.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="List every code.")] = False,
    output: options.Output = None,
) -> None:
    """Explain one finding code: what it means, why it matters, how to fix it."""
    from attn_doctor.judgement.rule import rules

    known = rules()
    if list_all:
        lines = [f"{found.code}  {found.severity:8} {found.title}" for found in known.values()]
        options.write("\n".join(lines) + "\n", output)
        return
    if code is None:
        raise UsageError("which finding? Give its code", "List them: attn-doctor rule --list")
    options.write(text(code), output)


def text(code: str) -> str:
    """The page of that code, as a terminal shows it. Raises UsageError."""
    from attn_doctor.judgement.rule import rules

    found = rules().get(code.upper())
    if found is None:
        raise UsageError(f"there is no finding {code!r}", "List them: attn-doctor rule --list")
    heading, _, body = found.doc.strip().partition("\n")
    paragraphs = [wrap(" ".join(paragraph.split()), WIDTH) for paragraph in body.strip().split("\n\n")]
    body = "\n\n".join("\n".join(lines) for lines in paragraphs)
    return f"{heading} · {found.severity}\n\n{found.title}\n\n{body}\n"
