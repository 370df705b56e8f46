"""A log as the causes see it: lines without colour and prefixes, the text they make, and questions about both."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cache, cached_property, lru_cache

import msgspec

LINE_BREAKS = "\n"
STATES = 4  # of one line, where carriage returns made several
DIGITS = str.maketrans("123456789", "0" * 9)
NARROWEST = 38  # columns at which lines are broken


class Line(msgspec.Struct, frozen=True):
    """One line, cleaned; `number` counts from 1 in the log as it was given."""

    number: int
    text: str


class Log:
    """The lines that are worth reading: all of a small log; of a large one its ends and what lies around trouble."""

    def __init__(self, lines: Sequence[Line], total: int | None = None) -> None:
        self.lines = tuple(lines)
        self.total = len(self.lines) if total is None else total
        self.text = LINE_BREAKS.join(line.text for line in self.lines)
        self._asked: dict[str, re.Match[str] | None] = {}
        self._starts: list[int] = []
        self._places: dict[int, int] = {}  # where the first line of a number stands
        at = 0
        for place, line in enumerate(self.lines):
            self._starts.append(at)
            self._places.setdefault(line.number, place)
            at += len(line.text) + 1

    def find(self, literal: str, pattern: str | None = None) -> Iterator[tuple[Line, re.Match[str] | None]]:
        """Every line that holds the literal, and in which the pattern is found where one is given."""
        if not self.may_hold(literal):
            return
        at = self.text.find(literal)
        while at >= 0:
            index = self.index(at)
            line = self.lines[index]
            found = compiled(pattern).search(line.text) if pattern else None
            if pattern is None or found:
                yield line, found
            at = self.text.find(literal, self._starts[index] + len(line.text))

    def may_hold(self, literal: str) -> bool:
        """False where the literal stands nowhere; quickly, also in a large log."""
        return without_digits(literal) in self._essence

    @cached_property
    def _essence(self) -> str:
        """Every line once, whatever its numbers: what is not in it is nowhere. Compilers repeat themselves a lot."""
        return LINE_BREAKS.join(dict.fromkeys(line.text.translate(DIGITS) for line in self.lines))

    def index(self, at: int) -> int:
        """Which of the lines holds that position of the text."""
        return bisect_right(self._starts, at) - 1

    def has(self, *literals: str) -> bool:
        """Whether any of these stands anywhere."""
        return any(literal in self.text for literal in literals)

    def matches(self, pattern: str) -> re.Match[str] | None:
        """The first place in any line where the pattern is found; it must not span lines."""
        if pattern not in self._asked:
            self._asked[pattern] = compiled(pattern).search(self.text)
        return self._asked[pattern]

    def around(self, line: Line, before: int = 0, after: int = 0) -> tuple[Line, ...]:
        """The lines about one, itself among them."""
        index = self.position(line)
        return self.lines[max(0, index - before) : index + after + 1]

    def near(self, line: Line, *literals: str, before: int = 0, after: int = 0) -> Line | None:
        """The nearest line about one that holds any of these; itself does not count."""
        index = self.position(line)
        earlier = range(index - 1, max(-1, index - before - 1), -1)
        later = range(index + 1, min(len(self.lines), index + after + 1))
        about = (self.lines[place] for place in (*earlier, *later))
        return next((one for one in about if any(literal in one.text for literal in literals)), None)

    def position(self, line: Line) -> int:
        """Where that line stands among the lines."""
        first = self._places[line.number]
        same = range(first, min(len(self.lines), first + STATES))
        return next((place for place in same if self.lines[place] == line), first)

    def unwrapped(self) -> Log:
        """Each line with the one below it: a terminal may have broken a message in two."""
        pairs = [(one, two.text.lstrip()) for one, two in zip(self.lines, self.lines[1:], strict=False)]
        wide = [(one, two) for one, two in pairs if len(one.text) >= NARROWEST]
        return Log([Line(one.number, one.text + gap + two) for one, two in wide for gap in ("", " ")], self.total)


@cache
def without_digits(literal: str) -> str:
    """The literal as it stands in a log's essence; there are as many as the causes ask for."""
    return literal.translate(DIGITS)


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern is compiled when its literal was seen, and not before: start-up is short."""
    return re.compile(pattern)
