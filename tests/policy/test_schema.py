"""The published schema and the reader say the same of every policy, and the examples of the docs are policies."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_doctor import schemas
from attn_doctor.errors import BadPolicy
from attn_doctor.policy import read, sense, toml
from attn_doctor.policy.find import Found
from policy.test_places import inline

SCHEMA = schemas.load("policy")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
DOCS = Path(__file__).parents[2] / "docs" / "policy.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)

WHOLE: dict[str, Any] = {
    "schema": 1,
    "required-version": ">=0.1",
    "target": {"venv": ".venv"},
    "require": ["sdpa"],
    "need": ["dtype=bf16", "causal"],
    "fail-on": "warning",
    "ignore": [{"code": "AD214", "reason": "for another project", "until": "2999-01-31"}],
    "versions": {"torch": ">=2.6,<2.15", "driver": ">=550"},
    "wheel-sources": ["fa-official"],
    "gpus": ["T4", {"name": "A100", "count": 8, "vram": "40GiB", "driver": "550"}],
    "lock": "uv.lock",
}
TEXTS = ("", " ", "error", "AD214", "2999-01-31", "2999-13-01", "x")
NUMBERS = (0, 1, 2, 1.0, 1.5, -1, 2000, True)
LISTS: tuple[Any, ...] = ([], ["x"], [1], [{}], [{"code": "AD101", "reason": "r"}])
TABLES: tuple[Any, ...] = ({}, {"x": "y"}, {"name": "T4"}, {"venv": "x", "python": "y"})
VALUES = st.sampled_from((*TEXTS, *NUMBERS, *LISTS, *TABLES)).map(copy.deepcopy)
KEYS = st.sampled_from([*WHOLE, "requires", "code", "reason", "until", "name", "count", "venv", "python"])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(one for key, item in inner for one in places(item, (*path, key)))]


@st.composite
def mutated(draw: Any) -> Any:
    """The whole policy with some of it put in place, added or taken away."""
    policy = copy.deepcopy(WHOLE)
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(places(policy)))
        around: Any = policy
        for key in path[:-1]:
            around = around[key]
        here = around[path[-1]] if path else policy
        action = draw(st.sampled_from(["put", "add", "take"]))
        if action == "add" and isinstance(here, dict):
            here[draw(KEYS)] = draw(VALUES)
        elif action == "add" and isinstance(here, list):
            here.append(draw(VALUES))
        elif path and action == "take":
            del around[path[-1]]
        elif path:
            around[path[-1]] = draw(VALUES)
    return policy


def refusal(policy: Any) -> str | None:
    """What the reader says of the structure; None where it takes it."""
    text = "".join(f"{inline(key)} = {inline(value)}\n" for key, value in policy.items())
    try:
        read.read(Found("/p/attn-doctor.toml", "attn-doctor.toml", text.encode(), in_pyproject=False))
    except BadPolicy as error:
        return error.message
    return None


@given(mutated())
@settings(max_examples=300)
def test_the_reader_agrees_with_the_schema(policy: Any) -> None:
    if str(policy.get("required-version", "")).strip():
        policy["required-version"] = ">=0.1"  # whether a text is a range is no question of structure
    said = refusal(policy)
    assert (said is None) == VALIDATOR.is_valid(policy), (said, policy)
    assert said is None or re.match(r"attn-doctor\.toml:\d+:\d+: ", said)


def test_the_whole_policy_and_the_empty_one_are_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for policy in (WHOLE, {}):
        VALIDATOR.validate(policy)
        assert refusal(policy) is None


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_of_the_docs_are_policies(text: str, tmp_path: Path) -> None:
    document = toml.loads(text)
    in_pyproject = "tool" in document
    table = document["tool"]["attn-doctor"] if in_pyproject else document
    VALIDATOR.validate(read._plain(table))
    (tmp_path / "uv.lock").touch()
    found = Found(str(tmp_path / "pyproject.toml"), "pyproject.toml", text.encode(), in_pyproject=in_pyproject)
    policy = read.read(found)
    assert policy is not None
    sense.check(policy, "2026-12-01")


def test_every_key_is_explained_to_the_editor_and_in_the_docs() -> None:
    assert EXAMPLES
    page = DOCS.read_text(encoding="utf-8")
    for key, shape in SCHEMA["properties"].items():
        named = shape if "$ref" not in shape else SCHEMA["$defs"][shape["$ref"].rpartition("/")[2]]
        assert named["description"], key
        assert f"`{key}`" in page, key
