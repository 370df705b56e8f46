"""From bytes to lines: encodings, colour, progress bars, prefixes, and large logs of which only trouble is kept."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_doctor.explain import reading
from attn_doctor.explain.reading import HEAD_LINES, LONGEST_LINE, Recorder, from_text, read

COMPILER = b"[%d/73] /usr/local/cuda/bin/nvcc -O3 -std=c++17 -gencode arch=compute_80,code=sm_80 -c flash_%d.cu\n"
PROOF = b"/usr/bin/ld: error: unknown thing %d\n"


def texts(*chunks: bytes) -> list[str]:
    return [line.text for line in read(chunks).lines]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(encoding: str) -> None:
    data = "Collecting flash-attn\r\nModuleNotFoundError: No module named 'torch'\r\n".encode(encoding)
    assert texts(data) == ["Collecting flash-attn", "ModuleNotFoundError: No module named 'torch'"]
    assert [line.text for line in read(data[at : at + 7] for at in range(0, len(data), 7)).lines][-1].endswith(
        "'torch'"
    )


def test_bytes_that_are_no_text() -> None:
    assert texts(b"\xff\xfe\xfa\x00ERROR\x80\n\xe2\x94") != []
    assert read([b""]).lines == ()
    assert read([]).total == 0


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("\x1b[31mERROR\x1b[0m: x", "ERROR: x"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\ error", "link error"),
        ("  10%|#   |\r 100%|####| done\rerror: y", "error: y"),
        ("2025-09-01T12:00:00.1234567Z error: x", "error: x"),
        ("#12 34.56 error: x", "error: x"),
        ("1.181 IndexError: list index out of range", "IndexError: list index out of range"),
        ("12:11:17 FAILED: /opt/a.o", "FAILED: /opt/a.o"),
        ("[2025-09-01 12:00:00,123] error: x", "error: x"),
        ("Nov 25 12:00:00 host kernel[1]: error: x", "error: x"),
        ("(RayWorker pid=123, ip=10.0.0.1) error: x", "error: x"),
        ("[rank0]: RuntimeError: x", "RuntimeError: x"),
        ("  \u2502 error: x", "error: x"),
        ("  \u2570\u2500\u25b6 Call to `x` failed", "Call to `x` failed"),
        ("\u2502 error: x                    \u2502", "error: x"),
        ("3.14 is pi", "3.14 is pi"),
        ("12.8 >= 11.7", "12.8 >= 11.7"),
        ("0:00:00", "0:00:00"),
        ("a.cu(12): error: expected a ;", "a.cu(12): error: expected a ;"),
    ],
)
def test_cleaning(raw: str, clean: str) -> None:
    found = from_text(raw).lines
    assert found[-1].text.strip() == clean


def test_every_line_of_a_small_log_is_kept() -> None:
    log = from_text("".join(f"line {number}\n" for number in range(1, HEAD_LINES)))
    assert [line.number for line in log.lines] == [*range(1, HEAD_LINES)]
    assert log.total == HEAD_LINES - 1


@pytest.mark.parametrize("size", [1 << 12, 1 << 16, 1 << 20])
def test_trouble_in_a_large_log(size: int) -> None:
    """Numbers are those of the log, whatever the pieces it came in; what is kept is complete about each trouble."""
    lines = [COMPILER % (number % 73, number) for number in range(120_000)]
    for at in (1, 500, 40_000, 40_003, 90_000, 119_990):
        lines[at] = PROOF % (at + 1)
    data = b"".join(lines)
    log = read(data[at : at + size] for at in range(0, len(data), size))
    assert log.total == len(lines)
    found = {line.number for line, _ in log.find("unknown thing")}
    assert found == {2, 501, 40_001, 40_004, 90_001, 119_991}
    for line in log.lines:
        assert line.text == lines[line.number - 1].decode().strip()
    assert {39_990, 40_002, 40_007} <= {line.number for line in log.lines}
    assert len(log.lines) < 5000


def test_a_line_without_an_end() -> None:
    log = read(b"x" * (1 << 20) for _ in range(8))
    assert len(log.lines) == 1
    assert len(log.lines[0].text) <= LONGEST_LINE + 5


def test_a_log_that_is_nothing_but_trouble_does_not_grow() -> None:
    block = b"".join(b"a.cu(%d): error: expected a semicolon\n" % number for number in range(20_000))
    log = read(block for _ in range(12))
    assert log.total == 240_000
    assert len(log.lines) < 2 * reading.MOST_LINES + 20_000
    assert log.lines[-1].number == 240_000


@given(st.binary(max_size=4000), st.integers(1, 500))
@settings(max_examples=150)
def test_any_bytes_in_any_pieces(data: bytes, size: int) -> None:
    """The pieces do not matter, but for the guess at UTF-16, which needs the start in one piece."""
    start = max(size, 4096)
    whole = read([data])
    pieces = read([data[:start], *(data[at : at + size] for at in range(start, len(data), size))])
    assert [line.text for line in pieces.lines] == [line.text for line in whole.lines]
    assert whole.total == pieces.total


def test_a_recorder_takes_what_comes() -> None:
    data = b"".join(COMPILER % (1, number) for number in range(2000)) + PROOF % 1 + b"no end"
    shuffled = random.Random(1)
    recorder, at = Recorder(), 0
    while at < len(data):
        step = shuffled.randrange(1, 3000)
        recorder.take(data[at : at + step])
        at += step
    assert [line.text for line in recorder.log().lines] == [line.text for line in read([data]).lines]
