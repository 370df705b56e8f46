"""From the text of a file to a policy: the first thing that is not as it should be is an error with its place."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import Any, NoReturn, cast

import msgspec
import msgspec.inspect as shapes

from attn_doctor import __version__
from attn_doctor.errors import BadPolicy
from attn_doctor.judgement.report import Location
from attn_doctor.policy import toml
from attn_doctor.policy.find import PYPROJECT, TABLE, Found
from attn_doctor.policy.keys import EXPECTED, SCHEMA, Keys
from attn_doctor.policy.places import Path, places

NEWER = "Use a newer attn-doctor."


class Source:
    """The file a policy was read from, and where in it everything stands."""

    def __init__(self, found: Found, text: str) -> None:
        self.file = found.name
        self.folder = os.path.dirname(found.path)
        self.passed_over = found.passed_over
        self.ours = found.ours
        self.root: Path = ("tool", TABLE) if found.in_pyproject else ()
        self.table = f"[tool.{TABLE}]" if found.in_pyproject else found.name
        self._text = text

    @cached_property
    def _places(self) -> dict[Path, tuple[int, int]]:
        return places(self._text)

    def where(self, path: Path = ()) -> Location:
        """The place of a key or element; of the nearest thing around it where it has none of its own."""
        for length in range(len(path), -1, -1):
            if at := self._places.get((*self.root, *path[:length])):
                return Location(self.file, *at)
        return Location(self.file, 1)

    def origin(self, path: Path = ()) -> str:
        """'pyproject.toml:14'."""
        return f"{self.file}:{self.where(path).line}"

    def refuse(self, path: Path, what: str, hint: str | None = None) -> NoReturn:
        """Raises BadPolicy."""
        at = self.where(path)
        raise BadPolicy(f"{at.file}:{at.line}:{at.column}: {what}", hint)


class Policy(msgspec.Struct, frozen=True):
    """The keys as read and made sense of, and their source."""

    keys: Keys
    source: Source


def read(found: Found) -> Policy | None:
    """None where a pyproject.toml has no such table after all. Raises BadPolicy."""
    text, document = toml.parse(found.data, found.name)
    source = Source(found, text)
    table: object = document
    for part in source.root:
        if not isinstance(table, dict) or part not in table:
            return None
        table = table[part]
    plain = _plain(table)
    if not isinstance(plain, dict):
        source.refuse((), f"expected a table, not {_kind(plain)}")
    _refuse_newer(plain, source)
    _struct(_info(Keys), plain, (), source)
    try:
        return Policy(msgspec.convert(plain, Keys, strict=False), source)
    except msgspec.ValidationError as error:
        source.refuse((), str(error))


def _refuse_newer(table: dict[str, Any], source: Source) -> None:
    """Before anything else: a newer policy may hold keys that are no mistake there."""
    schema = table.get("schema", SCHEMA)
    if isinstance(schema, int) and schema > SCHEMA:
        source.refuse(
            ("schema",), f"schema = {schema}: attn-doctor {__version__} reads policies of schema {SCHEMA}", NEWER
        )
    wanted = table.get("required-version")
    if not isinstance(wanted, str):
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        serves = SpecifierSet(wanted).contains(__version__, prereleases=True)
    except InvalidSpecifier:
        source.refuse(
            ("required-version",), f"required-version = {wanted!r}: expected a specifier such as >={__version__}"
        )
    if not serves:
        source.refuse(
            ("required-version",),
            f"required-version = {wanted!r}: this is attn-doctor {__version__}",
            f"Install attn-doctor{wanted}.",
        )


def _plain(value: object) -> Any:
    """As JSON would hold it: a day as text, and no difference between 1 and 1.0."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.isoformat() if isinstance(value, (dt.date, dt.time)) else value


def _info(kind: type) -> shapes.StructType:
    return cast("shapes.StructType", shapes.type_info(kind))


def _value(shape: shapes.Type, value: Any, path: Path, source: Source) -> None:
    """Raises BadPolicy unless the value has that shape."""
    match shape:
        case shapes.Metadata(type=inner):
            _value(inner, value, path, source)
        case shapes.UnionType(types=kinds):
            table = next((kind for kind in kinds if isinstance(kind, shapes.StructType)), None)
            _value(table if table and isinstance(value, dict) else kinds[0], value, path, source)
        case shapes.StructType():
            _struct(shape, value, path, source)
        case shapes.VarTupleType(item_type=inner):
            if not isinstance(value, list):
                _refuse(path, "a list", value, source)
            for number, item in enumerate(value):
                _value(inner, item, (*path, number), source)
        case shapes.DictType(value_type=inner):
            if not isinstance(value, dict):
                _refuse(path, "a table", value, source)
            for key, item in value.items():
                _value(inner, item, (*path, key), source)
        case _:
            _scalar(shape, value, path, source)


def _struct(shape: shapes.StructType, value: Any, path: Path, source: Source) -> None:
    if not isinstance(value, dict):
        _refuse(path, "a table", value, source)
    fields = {field.encode_name: field for field in shape.fields}
    for key in value:
        if key not in fields:
            source.refuse(
                (*path, key),
                f"unknown key {key!r} in {_inside(path, source)}{_near(key, fields)}",
                f"Keys: {', '.join(fields)}.",
            )
    for key, field in fields.items():
        if key in value:
            _value(field.type, value[key], (*path, key), source)
        elif field.required:
            source.refuse(path, f"{_label(path)}: {key!r} is missing")


def _scalar(shape: shapes.Type, value: Any, path: Path, source: Source) -> None:
    match shape:
        case shapes.LiteralType(values=allowed):
            if isinstance(value, bool) or value not in allowed:
                _refuse(path, EXPECTED[frozenset(allowed)], value, source, _near(value, [*map(str, allowed)]))
        case shapes.IntType(ge=least, le=most):
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not (least or 0) <= value <= (most or value):
                _refuse(path, f"a whole number from {least} to {most}", value, source)
        case shapes.StrType(pattern=pattern):
            import re

            if not isinstance(value, str):
                _refuse(path, "a text in quotes", value, source)
            if pattern and not re.search(pattern, value):
                _refuse(path, EXPECTED[pattern], value, source)
        case _:
            raise TypeError(f"no reader for {shape}")


def _refuse(path: Path, expected: str, value: object, source: Source, hint: str = "") -> NoReturn:
    source.refuse(path, f"{_label(path)}: expected {expected}, not {_kind(value)}{hint}")


def _kind(value: object) -> str:
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "a list"
    return repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _inside(path: Path, source: Source) -> str:
    return _label(path) if path else source.table


def _label(path: Sequence[str | int]) -> str:
    """'ignore.until' from ('ignore', 0, 'until')."""
    return ".".join(part for part in path if isinstance(part, str)) or PYPROJECT


def _near(key: object, known: Collection[str]) -> str:
    """What may have been meant, to stand at the end of a sentence; empty where nothing is near."""
    near = get_close_matches(str(key).lower().replace("_", "-"), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
