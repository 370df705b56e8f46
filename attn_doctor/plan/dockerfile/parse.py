"""The instructions of a Dockerfile, as BuildKit reads them: continuations, comments, heredocs, flags, JSON form."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from attn_doctor.errors import BadInput

INSTRUCTIONS = frozenset({
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"),
    *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
})  # fmt: skip
WITH_HEREDOCS = ("ADD", "COPY", "RUN")
DIRECTIVE = r"(?a)#[ \t]*([a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(.+?)[ \t]*"
FLAG = r"--([a-z][a-z-]*)(?:=(\S*))?(?:\s+|$)"
HEREDOC = r"(?<![<\w])\d*<<(-?)([\"']?)([A-Za-z_][A-Za-z0-9_.]*)\2(?!\S*<)"
SHOWN = 60


class Line(msgspec.Struct, frozen=True):
    """A stretch of an instruction's text: where it starts there, and its line in the file."""

    offset: int
    number: int


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """One instruction. `text`: without its flags, continuations joined; heredocs follow, each after a line feed."""

    name: str
    line: int
    text: str
    flags: dict[str, str] = {}
    words: tuple[str, ...] | None = None
    """Of the JSON form; None where a shell reads the text."""
    heredocs: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()

    def line_of(self, offset: int) -> int:
        """The line in the file of a place in the text."""
        before = [one.number for one in self.lines if one.offset <= offset]
        return before[-1] if before else self.line


def parse(text: str, file: str) -> tuple[Instruction, ...]:
    """Every instruction in order. Raises BadInput for what no Dockerfile is."""
    lines = text.replace("\r\n", "\n").split("\n")
    escape = _escape(lines)
    found: list[Instruction] = []
    at = 0
    while at < len(lines):
        if not lines[at].strip() or lines[at].lstrip().startswith("#"):
            at += 1
            continue
        one, at = _instruction(lines, at, escape, file)
        found.append(one)
    _check(found, file)
    return tuple(found)


def _check(found: list[Instruction], file: str) -> None:
    first = next((one for one in found if one.name != "ARG"), None)
    if first is None:
        raise BadInput(f"{file}: there is no instruction in it: this is no Dockerfile")
    if first.name != "FROM":
        raise BadInput(f"{file}: line {first.line}: {first.name} stands before the first FROM")


def _escape(lines: list[str]) -> str:
    """The backslash, or what the directive of that name says; directives stand before anything else."""
    for line in lines:
        found = re.fullmatch(DIRECTIVE, line.strip())
        if not found:
            break
        if found[1].lower() == "escape" and found[2] in ("\\", "`"):
            return found[2]
    return "\\"


def _instruction(lines: list[str], at: int, escape: str, file: str) -> tuple[Instruction, int]:
    start = at
    pieces: list[str] = []
    marks: list[Line] = []
    length = 0
    continues = re.compile(rf"(?<!{re.escape(escape)}){re.escape(escape)}[ \t]*$")
    while at < len(lines):
        line = lines[at]
        at += 1
        if pieces and (not line.strip() or line.lstrip().startswith("#")):
            continue  # blank lines and comments between continued lines are nobody's
        goes_on = continues.search(line)
        piece = line[: goes_on.start()] if goes_on else line
        marks.append(Line(length, at))
        pieces.append(piece)
        length += len(piece)
        if not goes_on:
            break
    return _read("".join(pieces), start + 1, marks, lines, at, file)


def _read(joined: str, line: int, marks: list[Line], lines: list[str], at: int, file: str) -> tuple[Instruction, int]:
    word = joined.split(maxsplit=1)
    name = word[0].upper()
    if name not in INSTRUCTIONS:
        shown = word[0][:SHOWN]
        raise BadInput(f"{file}: line {line}: there is no instruction {shown!r}: this is no Dockerfile")
    start = joined.index(word[0]) + len(word[0])
    start += len(joined[start:]) - len(joined[start:].lstrip())
    flags, start = _flags(joined, start)
    text = joined[start:].rstrip()
    shifted = [Line(max(0, mark.offset - start), mark.number) for mark in marks]
    heredocs: list[str] = []
    if name in WITH_HEREDOCS:
        for dash, _, end in re.findall(HEREDOC, text):
            first = at
            body, at = _heredoc(lines, at, end, bool(dash), line, file)
            offset = len(text) + sum(len(one) + 1 for one in heredocs) + 1
            shifted += _marks(body, offset, first + 1)
            heredocs.append(body)
    words = _json(text)
    one = Instruction(
        name=name, line=line, text=text, flags=flags, words=words, heredocs=tuple(heredocs), lines=tuple(shifted)
    )
    return one, at


def _flags(joined: str, start: int) -> tuple[dict[str, str], int]:
    flags: dict[str, str] = {}
    while found := re.compile(FLAG).match(joined, start):
        flags[found[1]] = found[2] or ""
        start = found.end()
    return flags, start


def _heredoc(lines: list[str], at: int, end: str, dash: bool, line: int, file: str) -> tuple[str, int]:
    body: list[str] = []
    while at < len(lines):
        text = lines[at].lstrip("\t") if dash else lines[at]
        at += 1
        if text == end:
            return "\n".join(body), at
        body.append(text)
    raise BadInput(f"{file}: line {line}: the heredoc {end} has no end")


def _marks(body: str, offset: int, number: int) -> list[Line]:
    marks: list[Line] = []
    for count, text in enumerate(body.split("\n")):
        marks.append(Line(offset, number + count))
        offset += len(text) + 1
    return marks


def _json(text: str) -> tuple[str, ...] | None:
    if not text.startswith("["):
        return None
    try:
        value: Any = msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return None  # then a shell reads it
    return tuple(value) if all(isinstance(one, str) for one in value) else None
