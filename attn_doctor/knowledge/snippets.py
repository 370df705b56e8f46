"""What a snippet needs of a framework beside its words: names of arguments, and lines of its log."""

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import numbers


class Details(msgspec.Struct, frozen=True):
    """Of one framework from release `since` on."""

    distribution: str
    since: str
    source: str
    dtype: str = "torch_dtype"
    log: str = "{word}"
    shown: dict[str, str] = {}
    note: dict[str, str] = {}

    def pattern(self, word: str) -> str:
        """What to look for in the log, for a word."""
        return self.log.replace("{word}", self.shown.get(word, word))


class _Table(msgspec.Struct, frozen=True):
    as_of: str
    notes: tuple[str, ...]
    rows: tuple[Details, ...]


def details(distribution: str, version: str | None) -> Details:
    """Of an installed release; of the newest where there is none, of the oldest where it is older than the table."""
    table: _Table = load("snippets", _Table)
    own = [row for row in table.rows if row.distribution == distribution]
    if version is None:
        return own[0]
    return next((row for row in own if numbers(version) >= numbers(row.since)), own[-1])
