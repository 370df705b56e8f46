"""From bytes to a log: any encoding, one pass, and of a large log only what lies around trouble is kept.

A build log of 200 MB is mostly the same compiler command: a block without a word of trouble is counted and dropped,
which costs little more than reading it. Every sign of every cause lies in or near one of the words.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Iterable, Iterator

from attn_doctor.explain.cleaning import clean
from attn_doctor.explain.log import Line, Log

HEAD_LINES = 400
TAIL_BYTES = 192 << 10
BEFORE, AFTER = 14, 4  # lines about one with trouble: a traceback leads up to it, a detail follows
LONGEST_LINE = 8 << 10
MOST_LINES = 3_000  # of lines around trouble: as many of the first as of the last are kept
SMALL_BYTES = 8 << 20
OFTEN = 50  # a line that was kept so often says nothing new
LONGEST_SAYING, MOST_SAYINGS = 160, 20_000
DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
TROUBLE = (
    *(b"error", b"fail", b"cannot", b"can't", b"not ", b" no ", b"unable", b"undefined", b"killed", b"unknown"),
    *(b"invalid", b"mismatch", b"missing", b"incompat", b"denied", b"traceback", b"require", b"out of mem"),
    *(b"stopped", b"unavail", b"different", b"too ", b"erreur", b"fehler", b"warning["),
)
# of a log that is too large to look for all of them: every tool that ends a build says one of these
WORST = (b"error", b"fatal", b"fail", b"killed", b" not ", b"cannot", b"undefined")


def read(chunks: Iterable[bytes]) -> Log:
    """A log from its bytes, which may come in pieces of any size."""
    kept = Kept()
    for block in _blocks(_utf8(chunks)):
        kept.take(block)
    return kept.log()


class Recorder:
    """The same for what comes in while a command runs, piece by piece and from more than one stream."""

    def __init__(self) -> None:
        self._kept = Kept()
        self._rest = b""

    def take(self, data: bytes) -> None:
        """The next piece."""
        data = self._rest + data
        cut = data.rfind(b"\n") + 1
        self._rest = _short(data[cut:])
        if cut:
            self._kept.take(data[:cut])

    def log(self) -> Log:
        """What came in until now."""
        if self._rest:
            self._kept.take(self._rest + b"\n")
            self._rest = b""
        return self._kept.log()


class Kept:
    """What is kept of a log while it passes: its first lines, the surroundings of trouble, its last lines."""

    def __init__(self) -> None:
        self.size = 0
        self.first: list[tuple[int, bytes]] = []
        self.last: deque[tuple[int, bytes]] = deque(maxlen=MOST_LINES)
        self.tail = b""
        self.window = b""  # the end of what came before, and behind `looked` what was not looked at yet
        self.above = 0  # lines before the window
        self.looked = 0
        self.said: dict[bytes, int] = {}  # lines with trouble, whatever their numbers, and how often

    def take(self, block: bytes) -> None:
        """A block of whole lines."""
        self.size += len(block)
        self.tail = (self.tail + block)[-TAIL_BYTES:] if len(block) < TAIL_BYTES else block[-TAIL_BYTES:]
        self.window += block
        self._head()
        self._look(_back(self.window, len(self.window), AFTER))

    def _head(self) -> None:
        """The first lines, one by one."""
        missing = HEAD_LINES - len(self.first) if self.above + len(self.first) < HEAD_LINES else 0
        if missing <= 0 or self.looked:
            return
        lines = self.window.split(b"\n", missing)
        lines.pop()  # what comes after the last line break that was taken
        self.first += enumerate(lines, self.above + 1)
        if len(self.first) < HEAD_LINES:
            self.above += len(lines)
            self.window = b""
        else:
            self.looked = sum(map(len, lines)) + len(lines)

    def _look(self, until: int) -> None:
        """Keep what lies about trouble in the window, up to a place; of what is left only the end is needed again."""
        low = self.window.lower()
        counted, number = 0, self.above
        for start, end in _spans(low, self._news(low, until)):
            number += low.count(b"\n", counted, start)
            counted = start
            into = self.first if len(self.first) < MOST_LINES else self.last
            into.extend(enumerate(self.window[start:end].split(b"\n"), number + 1))
        keep = _back(self.window, until, BEFORE)
        self.above += low.count(b"\n", 0, keep)
        self.window = self.window[keep:]
        self.looked = max(until, self.looked) - keep

    def _news(self, low: bytes, until: int) -> Iterator[int]:
        """Where trouble is; of a large log no mere warning, and nothing that was said often already."""
        small = self.size <= SMALL_BYTES
        for at in _spots(low, self.looked, until, TROUBLE if small else WORST):
            start, end = low.rfind(b"\n", 0, at) + 1, low.find(b"\n", at)
            line = low[start : min(end if end >= 0 else len(low), start + LONGEST_SAYING)].translate(DIGITS)
            said = self.said.get(line, 0)
            if said >= OFTEN or (not small and _only_warns(line)):
                continue
            if said or len(self.said) < MOST_SAYINGS:
                self.said[line] = said + 1
            yield at

    def log(self) -> Log:
        """The log: every kept line once, in order, cleaned."""
        self._look(len(self.window))
        total = self.above + self.window.count(b"\n")
        last = self.tail.split(b"\n")[:-1]
        if len(self.tail) == TAIL_BYTES:
            del last[0]  # it may begin in the middle
        numbered = [*self.first, *self.last, *enumerate(last, total - len(last) + 1)]
        lines: list[Line] = []
        known = 0
        for number, raw in sorted(numbered, key=lambda one: one[0]):
            if number > known:
                known = number
                lines += (Line(number, text) for text in clean(_short(raw).decode("utf-8", "replace")))
        return Log(lines, total)


def _spans(low: bytes, spots: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Where lines with trouble and what surrounds them lie; no two overlap."""
    begin = end = -1
    for at in spots:
        if at > end:
            if begin >= 0:
                yield begin, end
            begin = max(_back(low, at, BEFORE), end + 1)
        end = _forth(low, at, AFTER)
    if begin >= 0:
        yield begin, end


def _back(data: bytes, place: int, lines: int) -> int:
    """Where the line begins that lies so many lines before a place."""
    for _ in range(lines + 1):
        place = data.rfind(b"\n", 0, place)
        if place < 0:
            return 0
    return place + 1


def _forth(data: bytes, place: int, lines: int) -> int:
    """Where the line ends that lies so many lines after a place."""
    for _ in range(lines + 1):
        found = data.find(b"\n", place + 1)
        if found < 0:
            return len(data) - 1  # whole lines: it ends in a line break
        place = found
    return place


def _only_warns(line: bytes) -> bool:
    """Compilers say by the thousand what is not used or not needed."""
    return b"warning" in line and b"error" not in line and b"fatal" not in line


def _spots(low: bytes, start: int, until: int, words: tuple[bytes, ...]) -> list[int]:
    """Every place where one of the words stands, at most one in a line for each word."""
    found: set[int] = set()
    for word in words:
        at = low.find(word, start, until)
        while at >= 0:
            found.add(at)
            line_end = low.find(b"\n", at, until)
            at = low.find(word, line_end, until) if line_end >= 0 else -1
    return sorted(found)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pieces that end with a line; the very last line may lack its break. Nothing grows with a line that never ends."""
    rest = b""
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            rest = _short(rest + chunk)
            continue
        yield rest + chunk[:cut]
        rest = chunk[cut:]
    if rest:
        yield rest + b"\n"


def _short(line: bytes) -> bytes:
    """A line of reasonable length: both ends of a longer one."""
    if len(line) <= LONGEST_LINE:
        return line
    return line[: LONGEST_LINE // 2] + b" ... " + line[-LONGEST_LINE // 2 :]


def _utf8(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same text in UTF-8: PowerShell writes UTF-16, with a mark or without."""
    decoder: codecs.IncrementalDecoder | None = None
    started = False
    for chunk in chunks:
        if not started:
            started = True
            if encoding := _encoding(chunk[:4096]):
                decoder = codecs.getincrementaldecoder(encoding)("replace")
            yield _decoded(decoder, chunk.removeprefix(codecs.BOM_UTF8))
        else:
            yield _decoded(decoder, chunk)


def _decoded(decoder: codecs.IncrementalDecoder | None, chunk: bytes) -> bytes:
    return decoder.decode(chunk).encode("utf-8", "replace") if decoder else chunk


def _encoding(start: bytes) -> str | None:
    """UTF-16 by its mark, or by the zeros that plain letters have in it; None for what holds ASCII as it is."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    pairs = len(start) // 2
    if pairs and start[1::2].count(0) > pairs * 0.7:
        return "utf-16-le"
    return "utf-16-be" if pairs and start[0::2].count(0) > pairs * 0.7 else None


def from_text(text: str) -> Log:
    """A log that is at hand as text."""
    return read([text.encode("utf-8", "replace")])
