"""Where keys and elements of a TOML document stand, against the standard library's reading of it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from attn_doctor.policy import toml
from attn_doctor.policy.places import headers, places

DOCUMENT = '''\
# a comment with a [bracket] and a "quote
title = "x]#" # and one behind
a.b = { c = [1, 2], "d e" = 'f' }
[tool."attn-doctor"]
require = ["sdpa", # one
  'b',
]
text = """
[not.a.table]
"""""
[[tool.attn-doctor.ignore]]
code = "AD101"
[[tool.attn-doctor.ignore]]
until = 2027-01-31
  [tool.attn-doctor.ignore.more]
  x = 1
'''


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every key and element of a document."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = [*value.items()]
    elif isinstance(value, list):
        inner = [*enumerate(value)]
    return [one for key, item in inner for one in ((*path, key), *paths(item, (*path, key)))]


def test_each_key_has_its_line_and_column() -> None:
    found = places(DOCUMENT)
    assert found["title",] == (2, 1)
    assert found["a", "b", "c", 1] == (3, 17)
    assert found["a", "b", "d e"] == (3, 21)
    assert found["tool", "attn-doctor", "require", 1] == (6, 3)
    assert found["tool", "attn-doctor", "ignore", 1, "until"] == (14, 1)
    assert found["tool", "attn-doctor", "ignore", 1, "more", "x"] == (16, 3)
    assert set(found) >= set(paths(toml.loads(DOCUMENT)))
    assert {path for path in found if "not" in path} == set()


def test_headers_are_the_tables_and_nothing_that_looks_like_one() -> None:
    assert [(DOCUMENT[at : at + 6], path[-1]) for at, path in headers(DOCUMENT)] == [
        ("[tool.", "attn-doctor"),
        ("[[tool", 0),
        ("[[tool", 1),
        ("[tool.", "more"),
    ]


KEYS = st.text(st.sampled_from("ab-_1 .\"'#[]=\\\n\u00e9"), max_size=4)
SCALARS = st.one_of(KEYS, st.integers(-9, 9), st.booleans(), st.dates())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
GAPS = st.sampled_from(["\n", "\n\n", "# [x] = {\n", "\r\n"])


def inline(value: Any) -> str:
    """As TOML writes a value in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {inline(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", # [\n".join(inline(item) for item in value) + "]"
    if isinstance(value, str) and "'" not in value and "\n" not in value:
        return f"'{value}'"
    return json.dumps(value) if isinstance(value, (str, int, float)) else value.isoformat()


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.dictionaries(KEYS, VALUES, max_size=3), KEYS, GAPS)
def test_every_document_that_can_be_read_is_found_whole(first: Any, second: Any, name: str, gap: str) -> None:
    pairs = [f"{json.dumps(key)} = {inline(value)}{gap}" for key, value in first.items()]
    table = [f"{json.dumps(key)}\t= {inline(value)}{gap}" for key, value in second.items()]
    text = "".join([*pairs, f"[ {json.dumps(name)} . 'in' ]{gap}", *table])
    try:
        document = toml.loads(text)
    except ValueError:
        return  # a name twice
    found = places(text)
    lines = text.split("\n")
    assert set(found) == set(paths(document))
    for path, (line, column) in found.items():
        here = lines[line - 1][column - 1 :]
        if isinstance(path[-1], int) or path in ((name,), (name, "in")):
            continue
        assert here.startswith((json.dumps(path[-1]), f"'{path[-1]}'", "[")), (path, here)
