"""The diagnosis as data."""

from __future__ import annotations

from typing import Literal

import msgspec

from attn_doctor import __version__

SCHEMA = "attn-doctor/diagnosis/1"
Verdict = Literal["failure", "healthy", "unrelated", "unknown"]
Confidence = Literal["certain", "likely", "possible"]


class Shown(msgspec.Struct, frozen=True):
    """A line of the log, as it is shown."""

    line: int
    text: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One cause. `line` is the number of the line that proves it, counted from 1, and `evidence` its text."""

    category: str
    confidence: Confidence
    title: str
    line: int
    evidence: str
    explanation: str
    fix: tuple[str, ...] = ()
    context: tuple[Shown, ...] = ()
    """The lines about it, itself among them."""
    consequences: tuple[Shown, ...] = ()
    """Later lines that only follow from it."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What a log comes to. `said`: what it says of its machine, by the keys of `--what-if`."""

    schema: str = SCHEMA
    version: str = __version__
    verdict: Verdict
    causes: tuple[Found, ...] = ()
    log: str = ""
    """The name of the log."""
    lines: int = 0
    cut: bool = False
    """Whether the log starts or ends in the middle of something."""
    ask: tuple[str, ...] = ()
    """What to show next, where the cause is not in the log."""
    said: dict[str, str] = {}
