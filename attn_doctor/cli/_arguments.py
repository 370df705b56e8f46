"""What is wrong with the arguments of a tool: a sentence for each, from the schema that the tool is listed with."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from attn_doctor.knowledge.spelling import bare, did_you_mean

LONGEST = 40  # characters of a value that are shown
KINDS = {"string": "a text", "array": "a list of texts", "integer": "a whole number"}


def unknown_tool(name: str, tools: Collection[str]) -> str:
    """'there is no tool "chek": did you mean check?'."""
    return f"there is no tool {_shown(name)}: {_instead(name, tuple(tools), 'there are')}"


def unfit(tool: str, schema: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """Arguments that the tool does not have, and those that it needs and did not get."""
    known: Mapping[str, Any] = schema.get("properties", {})
    for name in given:
        if name not in known:
            yield f"{tool} has no argument {_shown(name)}: {_instead(name, tuple(known), 'it takes')}"
    for name in schema.get("required", ()):
        if name not in given:
            yield f"{tool} needs {name}: {known[name].get('description', '')}"


def _instead(name: str, known: Sequence[str], all_of_them: str) -> str:
    near = did_you_mean(bare(name), {bare(one): one for one in known})
    return f"d{near[1:].rstrip()}" if near else f"{all_of_them} {_or(known, 'and')}."


def refused(schema: Mapping[str, Any], given: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    """Values that an argument does not take. `names`: whose they are."""
    for name, value in given.items():
        if name in names:
            yield f"{name}: expected {_expected(schema['properties'][name])}, not {_shown(value)}."


def _expected(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return _expected(schema["anyOf"][0])  # the other one is null
    if "enum" in schema:
        return _or(schema["enum"], "or")
    kind = KINDS.get(schema.get("type", ""), "another kind of value")
    if "minimum" in schema:
        return f"{kind} from {schema['minimum']} to {schema['maximum']}"
    return f"{kind} of at most {schema['maxLength']} characters" if "maxLength" in schema else kind


def _or(names: Sequence[str], word: str) -> str:
    return f"{', '.join(names[:-1])} {word} {names[-1]}" if len(names) > 1 else "".join(names)


def _shown(value: object) -> str:
    """As JSON, on one line and short: it may be anything."""
    text = json.dumps(value, default=str)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
