"""What every format does with its lines: fold them, keep them harmless, and write a document for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

import msgspec

WIDTH = 80
ESCAPED = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"))


def harmless(text: str) -> str:
    """Facts, logs and files come from outside: nothing in them may steer the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def printed(lines: Iterable[str]) -> str:
    """The lines, harmless, without blanks at their ends; one that holds several is taken apart."""
    single = (line for text in lines for line in text.split("\n"))
    return "".join(f"{harmless(line).rstrip()}\n" for line in single)


def escaped(text: str) -> str:
    """Text that is only text in XML and HTML, between tags and within double quotes."""
    for character, written in ESCAPED:
        text = text.replace(character, written)
    return text


def hanging(label: str, rest: str) -> Iterator[str]:
    """A paragraph beside its label; words and commands are not broken."""
    folded = wrap(rest, WIDTH - len(label), break_long_words=False, break_on_hyphens=False) or [""]
    yield label + folded[0]
    yield from (" " * len(label) + line for line in folded[1:])


def as_json(value: object) -> str:
    """Indented JSON, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
