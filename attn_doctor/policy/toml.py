"""TOML as the standard library reads it; on Python 3.10 the package that became it."""

from __future__ import annotations

import re
import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from attn_doctor.errors import BadPolicy

# what the reader says where a bracket before it is open: of where it stood, nothing
OF_BRACKETS = ("Invalid value", "Unclosed ")


def loads(text: str) -> dict[str, Any]:
    """Raises ValueError."""
    return tomllib.loads(text)


def parse(data: bytes, name: str) -> tuple[str, dict[str, Any]]:
    """The text, and what stands in it. Raises BadPolicy with file, line and column."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadPolicy(f"{name}:{line}:1: this is no UTF-8 text, and TOML is", "Save the file as UTF-8.") from None
    try:
        return text, loads(text)
    except RecursionError:
        raise BadPolicy(f"{name}:1:1: its values are nested too deeply") from None
    except ValueError as error:
        raise BadPolicy(_sentence(str(error), name, text), "The file is read as TOML.") from None


def _sentence(error: str, name: str, text: str) -> str:
    """'pyproject.toml:3:5: ...' from '... (at line 3, column 5)'."""
    found = re.fullmatch(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", error)
    if found is None:
        return f"{name}:1:1: {error}"
    lines = text.split("\n")
    if found["what"].startswith(OF_BRACKETS):
        end = len(text) if found["line"] is None else sum(len(one) + 1 for one in lines[: int(found["line"]) - 1])
        if (at := _unclosed(text, end)) is not None:
            column = at - text.rfind("\n", 0, at)
            return f"{name}:{text.count(chr(10), 0, at) + 1}:{column}: this {text[at]} is not closed"
    line = found["line"] or str(len(text.splitlines()) or 1)
    what = found["what"][:1].lower() + found["what"][1:]
    return f"{name}:{line}:{found['column'] or 1}: {what}"


def _unclosed(text: str, end: int) -> int | None:
    """The last bracket before `end` that nothing in the whole text closes."""
    from attn_doctor.policy.places import STRING

    opened: list[int] = []
    for found in re.finditer(rf"(?s:{STRING.pattern})|#[^\n]*|[\[\]{{}}]", text):
        if found[0] in ("[", "{"):
            opened.append(found.start())
        elif found[0] in ("]", "}") and opened:
            opened.pop()
    return next((at for at in reversed(opened) if at < end), None)
