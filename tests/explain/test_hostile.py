"""Any bytes at all: no traceback, no pattern that takes for ever, nothing that steers the reader's terminal."""

from __future__ import annotations

import re
import time

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attn_doctor.explain import cleaning, outcome, said
from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import Sign, causes
from attn_doctor.explain.diagnose import diagnose
from attn_doctor.explain.reading import LONGEST_LINE, read
from attn_doctor.reporters import _diagnosis

SIGNS = [(name, sign) for name, cause in causes().items() for sign in cause.signs]
PATTERNS = sorted({sign.pattern for _, sign in SIGNS if sign.pattern})
PATTERNS += [saying.pattern for saying in said.SAYINGS] + [outcome.BAD, outcome.GOOD, outcome.FIELD, said.PACKAGE]
MOST_S = 1.0  # a pattern that backtracks takes minutes; one that does not, milliseconds
HOSTILE = (
    "a" * LONGEST_LINE,
    " " * LONGEST_LINE,
    "/" * LONGEST_LINE,
    "(" * (LONGEST_LINE // 2) + ")" * (LONGEST_LINE // 2),
    "a:b " * (LONGEST_LINE // 4),
    "1.2.3+cu" * (LONGEST_LINE // 8),
    "_ZN2at" * (LONGEST_LINE // 6),
    "flash_attn-2.8.3-" * (LONGEST_LINE // 17),
    "error: " * (LONGEST_LINE // 7),
    "'torch' \"torch\" `torch` " * (LONGEST_LINE // 24),
    "0123456789" * (LONGEST_LINE // 10),
    "-gencode arch=compute_80,code=sm_80 " * (LONGEST_LINE // 36),
)


def explained(data: bytes) -> str:
    one = diagnose(Case(read([data]), lambda: None))
    msgspec.json.encode(one)
    return _diagnosis.text(one, verbose=True)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    compiled = re.compile(pattern)
    pieces = [word for word in re.findall(r"[A-Za-z_]{4,}", pattern)[:4] if word in pattern]
    lines = [*HOSTILE, *(f"{piece} " * (LONGEST_LINE // (len(piece) + 1)) for piece in pieces)]
    lines += [" ".join(pieces) * (LONGEST_LINE // (len(" ".join(pieces)) + 1))] if pieces else []
    started = time.perf_counter()
    for line in lines:
        compiled.search(line)
    assert time.perf_counter() - started < MOST_S


@pytest.mark.parametrize("line", HOSTILE)
def test_one_line_of_a_megabyte(line: str) -> None:
    started = time.perf_counter()
    explained(line.encode() * (1 + (1 << 20) // len(line)))
    explained((line + "\n").encode() * 200)
    assert time.perf_counter() - started < 10 * MOST_S


@given(st.binary(max_size=2000))
@settings(max_examples=100)
def test_any_bytes(data: bytes) -> None:
    shown = explained(data)
    assert all(char.isprintable() or char == "\n" for char in shown)


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_pieces_of_every_cause_in_any_order(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from([sign for _, sign in SIGNS]), max_size=12))
    noise = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
    lines = [data.draw(noise) + sign.literal + data.draw(noise) for sign in chosen]
    assert explained("\n".join(lines).encode())


@given(st.text(max_size=300))
@settings(max_examples=200)
def test_cleaning_never_fails(text: str) -> None:
    assert all("\x1b[" not in part for part in cleaning.clean(text.replace("\n", " ")))


@pytest.mark.parametrize(("name", "sign"), SIGNS, ids=lambda one: one if isinstance(one, str) else "")
def test_every_sign_says_who_prints_it(name: str, sign: Sign) -> None:
    assert len(sign.literal) >= 4 or sign.pattern, "a short one is found everywhere"
    assert sign.by, f"{name}: {sign.literal}"
    assert "\n" not in sign.literal
