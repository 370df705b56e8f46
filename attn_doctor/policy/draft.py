"""A first policy: what it says, and its text with a comment on every key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

import msgspec

from attn_doctor.policy import find
from attn_doctor.policy.keys import SCHEMA

WIDTH = 78  # behind a mark of two


class Draft(msgspec.Struct, frozen=True):
    """What a first policy says."""

    require: tuple[str, ...]
    ready: tuple[str, ...]
    need: tuple[str, ...]
    gpus: tuple[str, ...]
    versions: dict[str, str]
    target: tuple[str, str] | None = None
    lock: str | None = None
    beside: str | None = None  # a lock that is there, and under which a GPU of the list would not be served


def text(one: Draft, *, own_file: bool) -> str:
    """With a comment on every key; `own_file`: for attn-doctor.toml, else as a table of pyproject.toml."""
    prefix = "" if own_file else f"tool.{find.TABLE}."
    lines = [] if own_file else [f"[tool.{find.TABLE}]"]
    for part in (*_keys(one), _tables(one, prefix)):
        lines += [*part, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _keys(one: Draft) -> Iterator[list[str]]:
    yield [
        *_said("What this project demands of the machines it runs on; attn-doctor check holds them to it."),
        f"schema = {SCHEMA}",
    ]
    key, path = one.target or ("venv", ".venv")
    yield [
        *_said("The environment that is examined, from this folder."),
        f"{'' if one.target else '# '}target = {{ {key} = {_string(path)} }}",
    ]
    ready = f" Ready here: {', '.join(one.ready)}." if one.ready else ""
    yield [*_said(f"Backends that must be ready.{ready}"), _list("require", one.require, ("sdpa",))]
    yield [
        *_said("What the model needs of its attention."),
        _list("need", one.need, ("dtype=bf16", "head_dim=128", "causal")),
    ]
    yield [*_said("The severity that makes the exit code 1: error, warning or never."), 'fail-on = "error"']
    yield [
        *_said("GPUs that it must run on; each is judged without having it."),
        _list("gpus", one.gpus, ("T4", "A100", "RTX 5090")),
    ]
    named = _string(one.lock or one.beside or "uv.lock")
    yield [
        *_said("The lock whose packages are judged on these GPUs, in place of the installed ones."),
        f"{'' if one.lock else '# '}lock = {named}",
    ]
    yield [
        *_said("Whose prebuilt wheels may be installed; attn-doctor wheels names the sources."),
        _list("wheel-sources", (), ("fa-official",)),
    ]


def _tables(one: Draft, prefix: str) -> list[str]:
    mark = "" if one.versions else "# "
    versions = one.versions or {"torch": ">=2.6,<2.15"}
    return [
        *_said("Versions that are allowed, of what is there."),
        f"{mark}[{prefix}versions]",
        *(f"{mark}{name} = {_string(allowed)}" for name, allowed in versions.items()),
        "",
        *_said("A finding that may stay for now, with the reason."),
        f"# [[{prefix}ignore]]",
        '# code = "AD214"',
        '# reason = "the toolkit belongs to another project"',
        "# until = 2027-01-31",
    ]


def _said(sentence: str) -> list[str]:
    return [f"# {line}" for line in wrap(sentence, WIDTH)]


def _list(key: str, values: Sequence[str], example: Sequence[str]) -> str:
    """The key with its values; commented out, with an example, where there are none."""
    return f"{'' if values else '# '}{key} = [{', '.join(map(_string, values or example))}]"


def _string(value: str) -> str:
    """As TOML writes it; JSON writes the same, but for one character."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
