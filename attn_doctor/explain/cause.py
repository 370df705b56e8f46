"""What a cause is: how it shows, what it must not be taken for, what to say and to do; and how causes are found."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from attn_doctor.discovery import discover
from attn_doctor.explain.log import Line, Log

if TYPE_CHECKING:
    from attn_doctor.explain.case import Case

Stage = Literal["build", "install", "import", "runtime", "driver", "none"]
Strength = Literal[3, 2, 1]
PROOF: Strength = 3
"""The line by itself says this cause and no other."""
SIGN: Strength = 2
"""The line is what this cause prints, and another may print it too."""
HINT: Strength = 1
"""Only where nothing in the log says more."""


T = TypeVar("T")
FIRST, LAST = 60, 20


class Sign(msgspec.Struct, frozen=True):
    """One wording of one program.

    `literal` stands in the line as it is: it is looked for first, and cheaply. `pattern`, where given, must be found in
    the same line; its named groups are for the explanation. `by` says which program prints it, and where in its source.
    """

    literal: str
    pattern: str | None = None
    strength: Strength = PROOF
    by: str = ""


class Match(msgspec.Struct, frozen=True):
    """A sign in a line of the log."""

    sign: Sign
    line: Line
    found: re.Match[str] | None
    strength: Strength

    def __getitem__(self, group: str) -> str | None:
        """A named group of the pattern; None where it took no part."""
        return self.found.groupdict().get(group) if self.found else None


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One category of the taxonomy.

    `weigh` looks at the rest of the log: it answers how strongly a match speaks for this cause, or None where it speaks
    for another. `explain` is the text, or makes it. `fix` yields commands and sentences, the best first. `leads_to`
    names categories that this one brings about: where they match too, that is a consequence.
    """

    category: str
    stage: Stage
    title: str
    signs: tuple[Sign, ...]
    explain: str | Callable[[Match, Case], str]
    fix: Callable[[Match, Case], Iterable[str]]
    weigh: Callable[[Match, Log], Strength | None] | None = None
    leads_to: tuple[str, ...] = ()
    changes_nothing: bool = False
    """Nothing is wrong with the installation: no fix may change packages, and the exit code is 0."""


@cache
def causes() -> dict[str, Cause]:
    """Every cause of the folder, by category."""
    found: list[Cause] = [module.CAUSE for module in discover(__package__ + ".causes")]
    return {cause.category: cause for cause in sorted(found, key=lambda one: one.category)}


def matches(cause: Cause, log: Log) -> list[Match]:
    """Where the cause shows in a log, in the order of the log."""
    found: list[Match] = []
    for sign in cause.signs:
        if not log.may_hold(sign.literal):
            continue
        for line, match in _enough(log.find(sign.literal, sign.pattern)):
            one = Match(sign, line, match, sign.strength)
            strength = cause.weigh(one, log) if cause.weigh else one.strength
            if strength is not None:
                found.append(msgspec.structs.replace(one, strength=strength))
    return sorted(found, key=lambda match: match.line.number)


def _enough(found: Iterator[T]) -> Iterator[T]:
    """The first and the last of what may be thousands: a compiler says the same of every file."""
    yield from islice(found, FIRST)
    yield from deque(found, maxlen=LAST)
