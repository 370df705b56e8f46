"""A policy's place in the project's files, and how it gets there with every other byte as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

from attn_doctor.errors import BadInput, BadPolicy
from attn_doctor.policy import find, toml
from attn_doctor.policy.places import headers

OWN: tuple[str, ...] = ("tool", find.TABLE)


def place(folder: str | None = None) -> tuple[str, bytes | None]:
    """The project's pyproject.toml and its bytes; where there is none the path of an attn-doctor.toml, and None.

    Raises BadInput for one that cannot be read.
    """
    folders = find.project(folder)
    if not folders:
        raise BadInput("the working folder is gone", "Change to one that is there.")
    for here in folders:
        path = os.path.join(here, find.PYPROJECT)
        if os.path.exists(path):
            return path, find.named(path).data
    return os.path.join(folders[0], find.OWN_FILE), None


def existing(path: str, data: bytes | None) -> str | None:
    """Where a policy stands already: 'pyproject.toml:14'. Raises BadPolicy for a file that is no TOML."""
    own = os.path.join(os.path.dirname(path), find.OWN_FILE)
    if os.path.exists(own):
        return f"{find.shown(own)}:1"
    if data is None or not find.mentions(data):
        return None
    content, document = toml.parse(data, find.shown(path))
    if find.TABLE not in document.get("tool", {}):
        return None
    at = next((at for at, table in headers(content) if table[:2] == OWN), 0)
    return f"{find.shown(path)}:{content.count(chr(10), 0, at) + 1}"


def placed(data: bytes, name: str, table: str) -> bytes:
    """The file with the table in place of one it had, or at its end; every other byte stays. Raises BadPolicy."""
    content, before = toml.parse(data, name)
    mark = data[:3] if data.startswith(b"\xef\xbb\xbf") else b""
    crlf = "\r\n" in content
    own = table.replace("\n", "\r\n") if crlf else table
    end = "\r\n" if crlf else "\n"
    spans = [*_own_spans(content)]
    if spans:
        start = spans[0][0]
        kept = "".join(content[left:right] for left, right in _between(spans, start, len(content)))
        whole = content[:start] + own + (end if kept.strip() else "") + kept.lstrip("\r\n")
    else:
        gap = "" if not content else end if content.endswith("\n") else end * 2
        whole = content + gap + own
    made = mark + whole.encode()
    _check(made, name, before)
    return made


def _own_spans(content: str) -> Iterator[tuple[int, int]]:
    """From each of our headers to the next other one; comments right above that are its own."""
    found = [*headers(content), (len(content), ())]
    for (start, table), (end, following) in pairwise(found):
        if table[:2] == OWN:
            yield start, end if following[:2] == OWN or not following else _above(content, start, end)


def _above(content: str, start: int, end: int) -> int:
    """Where the comments begin that stand right above a header."""
    while (line := content.rfind("\n", 0, end - 1) + 1) > start and content[line:end].lstrip().startswith("#"):
        end = line
    return end


def _between(spans: Sequence[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """What of start to end lies in none of the spans."""
    for left, right in spans:
        yield start, left
        start = right
    yield start, end


def _check(made: bytes, name: str, before: dict[str, object]) -> None:
    """Nothing else may have changed: whatever the file was like, it is read before it is written."""
    try:
        _, after = toml.parse(made, name)
    except BadPolicy as error:
        raise BadPolicy(
            f"{name} has a form that nothing can be added to", "Write the table by hand: --dry-run prints it."
        ) from error
    if _others(before) != _others(after):
        raise BadPolicy(
            f"{name} holds its policy in a form that cannot be replaced",
            "Change it by hand: --dry-run prints a new one.",
        )


def _others(document: dict[str, object]) -> dict[str, object]:
    tools = document.get("tool")
    kept = {name: value for name, value in tools.items() if name != find.TABLE} if isinstance(tools, dict) else {}
    return {**document, "tool": kept}


def write(path: str, data: bytes) -> None:
    """Whole or not at all. Raises BadInput."""
    real = os.path.realpath(path)
    beside = f"{real}.attn-doctor"
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            os.chmod(beside, os.stat(real).st_mode & 0o7777)
        os.replace(beside, real)
    except OSError as error:
        with suppress(OSError):
            os.unlink(beside)
        raise BadInput(f"cannot write {find.shown(path)}: {error.strerror}") from error
