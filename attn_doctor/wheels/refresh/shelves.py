"""Rows to shelves and back: how the catalogue is written, embedded or refreshed."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64, unhexlify
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from attn_doctor.knowledge.versions import major_minor
from attn_doctor.wheels.catalogue import BY_TORCH, HEX_DIGITS, pythons_of
from attn_doctor.wheels.tables import Group, Shape, Shelf

SPLIT_BY_TORCH = "flash-attn"
SHAPE_FIELDS = Shape.__struct_fields__


class Row(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    """One published file as the lists have it: what its name says, and what is known beyond that."""

    package: str
    version: str
    filename: str
    py: str
    abi: str
    plat: str
    cxx11abi: bool | None
    """The label. What the file really has, where that differs: `cxx11abi_real`."""
    source: str
    evidence: str
    cuda: str | None = None
    torch: str | None = None
    cxx11abi_real: bool | None = None
    tag: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    conf: str | None = None
    note: str | None = None
    torch_full: str | None = None
    nvcc: str | None = None
    built_on: str | None = None
    requires_python: str | None = None
    host: str | None = None
    url: str | None = None


OWN = {"filename", "py", "abi", "tag", "sha256", "size_bytes"}  # the rest is shared by the files of one build
SHARED = tuple(name for name in Row.__struct_fields__ if name not in OWN)


def stem(row: Row) -> str:
    """The file of the catalogue that holds the row."""
    if row.package == SPLIT_BY_TORCH and row.torch is not None:
        return f"{row.package}{BY_TORCH}{major_minor(row.torch)}"
    return row.package


def shelved(rows: Iterable[Row], *, small: bool = False) -> dict[str, bytes]:
    """Every file of the catalogue, by its stem; `small` costs a reader a little more time."""
    shelves: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        shelves[stem(row)].append(row)
    return {name: shelf_bytes(shelves[name], small) for name in sorted(shelves)}


def shelf_bytes(rows: list[Row], small: bool) -> bytes:
    """One file of the catalogue: a line for each shape, each list of Pythons and each group."""
    shapes: dict[bytes, int] = {}
    pythons: dict[bytes, int] = {}
    groups = []
    for members, tags in _groups(rows):
        shape = {name: value for name in SHAPE_FIELDS if (value := getattr(members[0], name)) is not None}
        position = shapes.setdefault(msgspec.json.encode(shape, order="sorted"), len(shapes))
        listed = msgspec.json.encode([f"{row.py}-{row.abi}" for row in members])
        which = pythons.setdefault(listed, len(pythons))
        groups.append(msgspec.json.encode(_group(members, tags, position, which, small)))
    columns = msgspec.json.encode(Group.__struct_fields__)
    return b'{"package": "%s",\n"columns": %s,\n"shapes": [\n%s\n],\n"pythons": [\n%s\n],\n"groups": [\n%s\n]}\n' % (
        rows[0].package.encode(),
        columns.replace(b",", b", "),
        b",\n".join(shapes),
        b",\n".join(pythons),
        b",\n".join(groups),
    )


def rows_of(shelf: Shelf) -> Iterator[Row]:
    """The rows of one shelf, put together again."""
    for group in shelf.groups:
        shape = {name: getattr(shelf.shapes[group.shape], name) for name in SHAPE_FIELDS}
        for index, python in enumerate(pythons_of(shelf, group)):
            python_tag, _, abi_tag = python.partition("-")
            for tag in group.tags:
                yield Row(
                    package=shelf.package,
                    version=group.version,
                    filename=f"{group.head}-{python}-{group.platform}.whl",
                    py=python_tag,
                    abi=abi_tag,
                    plat=group.platform,
                    cxx11abi=group.cxx11abi,
                    cuda=group.cuda,
                    torch=group.torch,
                    tag=tag,
                    sha256=_hexadecimal(group.sha256[index]) if group.sha256 else None,
                    size_bytes=group.sizes[index] if group.sizes else None,
                    url=group.url,
                    **shape,
                )


def _groups(rows: list[Row]) -> Iterator[tuple[list[Row], list[str | None]]]:
    """Rows that share all but Python and tag; the tags are merged where the files are the same."""
    builds: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        builds[(head(row), row.tag, *(getattr(row, name) for name in SHARED))].append(row)
    merged: dict[tuple[Row, ...], tuple[list[Row], list[str | None]]] = {}
    for build in builds.values():
        members = sorted(build, key=lambda row: (len(row.py), row.py, row.abi))
        same = tuple(msgspec.structs.replace(row, tag=None) for row in members)
        merged.setdefault(same, (members, []))[1].append(members[0].tag)
    yield from merged.values()


def head(row: Row) -> str:
    """The file name without its tags. Raises ValueError where it does not end in them."""
    tail = f"-{row.py}-{row.abi}-{row.plat}.whl"
    if not row.filename.endswith(tail):
        raise ValueError(f"{row.filename} does not end in its own tags {tail}")
    return row.filename.removesuffix(tail)


def _group(members: list[Row], tags: list[str | None], shape: int, pythons: int, small: bool) -> list[Any]:
    first = members[0]
    values: list[Any] = [head(first), first.version, first.cuda, first.torch, first.cxx11abi, first.plat]
    values += [shape, tags, pythons]
    digests = [_short(row.sha256) if small else row.sha256 for row in members]
    sizes = [row.size_bytes for row in members]
    optional = [digests if any(digests) else None, first.url, sizes if any(sizes) else None]
    while optional and optional[-1] is None:
        optional.pop()
    return values + optional


def _short(digest: str | None) -> str | None:
    """The same 32 bytes in two thirds of the characters."""
    return b2a_base64(unhexlify(digest), newline=False).rstrip(b"=").decode() if digest else None


def _hexadecimal(written: str | None) -> str | None:
    return a2b_base64(f"{written}=").hex() if written and len(written) != HEX_DIGITS else written
