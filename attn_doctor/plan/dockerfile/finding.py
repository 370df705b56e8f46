"""What is found in a Dockerfile."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, and its line; `fix` holds lines that could stand there instead."""

    rule: str
    line: int
    text: str
    fix: tuple[str, ...] = ()
