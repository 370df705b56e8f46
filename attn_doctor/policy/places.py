"""Where each key and element of a TOML document stands: the standard library's reader does not say."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]
# what separates keys, values and lines; comments with it
BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")
SPACES = re.compile(r"[ \t]+")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|'  # up to two quotes may stand before the closing three
    r"'''.*?'{3,5}|"
    r'"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'",
    re.DOTALL,
)
SCALAR = re.compile(r"[^,\]}\r\n#]+")


def places(text: str) -> dict[Path, tuple[int, int]]:
    """Line and column, from 1, of every key, table and element, by its path. The text has been read as TOML before."""
    found = _Places(text)
    found.document()
    lines = [0, *(match.end() for match in re.finditer(r"\n", text))]
    return {path: _line_and_column(lines, at) for path, at in found.starts.items()}


def headers(text: str) -> list[tuple[int, Path]]:
    """Where each [table] and [[table]] begins, as an offset, and which it is."""
    found = _Places(text)
    found.document()
    return found.headers


def _line_and_column(lines: list[int], at: int) -> tuple[int, int]:
    from bisect import bisect_right

    line = bisect_right(lines, at)
    return line, at - lines[line - 1] + 1


class _Places:
    """One walk over the text. What is not TOML ends it early: what was found until then stays."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.starts: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}  # tables of an array so far
        self.headers: list[tuple[int, Path]] = []

    def document(self) -> None:
        table: Path = ()
        while self._pass(BLANK) and self.at < len(self.text):
            if self._take("["):
                table = self._header()
            elif not self._pair(table):
                return

    def _header(self) -> Path:
        many = self._take("[")
        start = self.at - 1 - many
        path: Path = ()
        for part, _ in self._dotted():
            path = self._last((*path, part))
            self.starts.setdefault(path, start)
        self._take("]")
        self._take("]" if many else "")
        if many:
            bare = path[:-1] if isinstance(path[-1], int) else path
            self.counts[bare] = self.counts.get(bare, -1) + 1
            path = self._last(bare)
            self.starts[path] = start
        self.headers.append((start, path))
        return path

    def _last(self, path: Path) -> Path:
        """The table that a header speaks of: of an array of tables the last one."""
        return (*path, self.counts[path]) if path in self.counts else path

    def _pair(self, table: Path) -> bool:
        path = table
        for part, start in self._dotted():
            path = (*path, part)
            self.starts.setdefault(path, start)
        if path == table or not self._take("="):
            return False
        self._pass(SPACES)
        return self._value(path)

    def _dotted(self) -> list[tuple[str, int]]:
        """The parts of a dotted key, each with its place."""
        parts: list[tuple[str, int]] = []
        while True:
            self._pass(SPACES)
            start = self.at
            name = BARE_KEY.match(self.text, start) or STRING.match(self.text, start)
            if name is None:
                return parts
            parts.append((_bare(name[0]), start))
            self.at = name.end()
            self._pass(SPACES)
            if not self._take("."):
                return parts

    def _value(self, path: Path) -> bool:
        if self._take("["):
            return self._array(path)
        if self._take("{"):
            return self._inline(path)
        found = STRING.match(self.text, self.at) or SCALAR.match(self.text, self.at)
        self.at = found.end() if found else len(self.text)
        return found is not None

    def _array(self, path: Path) -> bool:
        number = 0
        while self._pass(BLANK) and self.at < len(self.text) and not self._take("]"):
            self.starts[(*path, number)] = self.at
            if not self._value((*path, number)):
                return False
            self._pass(BLANK)
            self._take(",")
            number += 1
        return True

    def _inline(self, path: Path) -> bool:
        while self._pass(BLANK) and self.at < len(self.text) and not self._take("}"):
            if not self._pair(path):
                return False
            self._pass(BLANK)
            self._take(",")
        return True

    def _pass(self, pattern: re.Pattern[str]) -> bool:
        """Step over it where it stands here."""
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return True

    def _take(self, char: str) -> bool:
        here = bool(char) and self.text.startswith(char, self.at)
        self.at += here
        return here


def _bare(key: str) -> str:
    """A key without its quotes; escapes are read as the standard library reads them."""
    if key[0] == "'":
        return key[1:-1]
    if key[0] == '"':
        from attn_doctor.policy.toml import loads

        return str(next(iter(loads(f"{key} = 0"))))
    return key
