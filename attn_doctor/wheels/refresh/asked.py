"""`catalogue/refresh.json`: which sources are asked, for what, and what their file names mean."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

import msgspec

from attn_doctor.wheels import embedded

Grammar = Literal["labelled", "silent", "dated", "floored", "directory", "plain"]
RELEASES = r"https://github\.com/([\w.-]+/[\w.-]+)/releases/download/\{tag\}/\{qfile\}"


class FamilyRow(msgspec.Struct, frozen=True):
    """How a source names its files, and which packages of the catalogue it has."""

    source_id: str
    grammar: Grammar
    packages: tuple[str, ...]
    source: str


class DirectoryRow(msgspec.Struct, frozen=True):
    """The directories of the PyTorch index that may hold a package."""

    package: str
    names: tuple[str, ...]
    source: str
    as_of: str


class TorchRow(msgspec.Struct, frozen=True):
    """The torch that files need whose names do not say it."""

    package: str
    source_id: str
    abi_tag: str
    torch: str
    source: str
    as_of: str
    note: str | None = None


class LabelRow(msgspec.Struct, frozen=True):
    """Labels that lie: a Linux file whose name says the one C++ ABI and that has the other."""

    package: str
    label: bool
    cxx11abi_real: bool
    source: str
    as_of: str
    source_id: str | None = None
    since: str | None = None
    before: str | None = None
    torch_since: str | None = None
    torch_before: str | None = None
    note: str | None = None


class Asked(msgspec.Struct, frozen=True):
    """The whole table."""

    as_of: str
    families: tuple[FamilyRow, ...]
    directories: tuple[DirectoryRow, ...]
    torch: tuple[TorchRow, ...]
    labels: tuple[LabelRow, ...]


@cache
def asked() -> Asked:
    """The table."""
    return embedded.table("refresh", Asked)


@cache
def family(source: str) -> FamilyRow | None:
    """The source's row; None where nothing is known of its names."""
    return next((row for row in asked().families if row.source_id == source), None)


def sources() -> tuple[str, ...]:
    """Every source that can be read again, upstream first."""
    described = embedded.sources().sources
    known = [row.source_id for row in asked().families if row.source_id in described]
    return tuple(sorted(known, key=lambda name: described[name].level != "upstream"))


def repository(source: str) -> str | None:
    """'Dao-AILab/flash-attention', where the source's files lie in releases."""
    row = embedded.sources().sources.get(source)
    match = re.fullmatch(RELEASES, row.url_template or "") if row and row.same_as is None else None
    return match[1] if match else None
