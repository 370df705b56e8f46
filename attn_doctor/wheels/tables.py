"""What stands in the catalogue, as types: wheels, the shelves they are stored on, and the tables beside them."""

from __future__ import annotations

from typing import Literal

import msgspec

Trust = Literal["upstream", "community"]
VersionKey = tuple[tuple[int, ...], int, int, int]


class Wheel(msgspec.Struct, frozen=True, gc=False):
    """One published file and what has to be true of a machine for it to load."""

    package: str
    version: str
    filename: str
    python_tag: str
    abi_tag: str
    platform: str
    cuda: str | None
    """As written: 'cu12' (major only) or 'cu128'."""
    torch: str | None
    """'2.8' (any patch), '2.8.0' (built for that one), '>=2.9' (a floor)."""
    cxx11abi: bool | None
    """What the file really has, which is not always what its name says; None on Windows."""
    source: str
    tag: str | None
    trust: Trust
    url: str | None
    """None where the file is taken through the package index."""
    sha256: str | None
    evidence: str
    confidence: str | None
    needs_glibc: str | None
    gpu_code: tuple[str, ...] | None
    """The code in the file, where known: ('sm_80', 'sm_90')."""
    as_of: str
    gpu_limit: tuple[str, ...] | None = None
    """Where `gpu_code` is not known: the code the file can have at most."""
    label_lies: bool = False
    """The name says the old C++ ABI, the file has the new one."""
    built_with_torch: str | None = None
    requires_python: str | None = None
    note: str | None = None
    public_recipe: bool = False
    """A community host that builds in public, as opposed to a personal upload."""
    size_bytes: int | None = None
    """Of the download, where a listing said it."""


class Shape(msgspec.Struct, frozen=True):
    """What many groups share; written once per file."""

    source: str
    evidence: str
    conf: str | None = None
    note: str | None = None
    torch_full: str | None = None
    nvcc: str | None = None
    built_on: str | None = None
    cxx11abi_real: bool | None = None
    requires_python: str | None = None
    host: str | None = None


class Group(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One build for several Pythons: each name is `head-<python>-<platform>.whl`."""

    head: str
    version: str
    cuda: str | None
    torch: str | None
    cxx11abi: bool | None
    platform: str
    shape: int
    tags: tuple[str | None, ...]
    pythons: tuple[str, ...] | int
    """('cp312-cp312', ...), or which of the shelf's lists."""
    sha256: tuple[str | None, ...] | None = None
    """Sixty-four hexadecimal digits, or the same bytes in base64 without padding."""
    url: str | None = None
    sizes: tuple[int | None, ...] | None = None


class Shelf(msgspec.Struct, frozen=True):
    """One file of the catalogue."""

    package: str
    shapes: tuple[Shape, ...]
    groups: tuple[Group, ...]
    pythons: tuple[tuple[str, ...], ...] = ()
    """Lists that many groups share."""


class Source(msgspec.Struct, frozen=True):
    """Where files lie and how far to trust them."""

    level: Trust
    url_template: str | None = None
    snapshot: str | None = None
    repo: str | None = None
    trust: str | None = None
    """In words."""
    same_as: str | None = None
    """Another name of that source: its files are looked for there."""


class Format(msgspec.Struct, frozen=True):
    """Which format a catalogue is written in: read before anything else of it."""

    format: int


class Sources(msgspec.Struct, frozen=True):
    """`sources.json`."""

    format: int
    as_of: str
    sources: dict[str, Source]


class IndexVariant(msgspec.Struct, frozen=True):
    """The directories of the PyTorch index that hold one xformers release."""

    version: str
    built_with_torch: str
    pypi_variant: str
    index_cuda: tuple[str, ...]
    source: str
    evidence: str
    filename_has_cuda_suffix: bool | None = None
    windows_index: str | None = None
    listed_examples: tuple[str, ...] = ()


class IndexVariants(msgspec.Struct, frozen=True):
    """`xformers-index.json`."""

    rows: tuple[IndexVariant, ...]


class GpuCodeRow(msgspec.Struct, frozen=True):
    """Which GPU code a build has (`code`) or can have at most (`limit`); the first matching row counts."""

    package: str
    source: str
    as_of: str
    sources: tuple[str, ...] | None = None
    since: str | None = None
    before: str | None = None
    toolkit_before: str | None = None
    code: tuple[str, ...] | None = None
    limit: tuple[str, ...] | None = None
    note: str | None = None


class GlibcRow(msgspec.Struct, frozen=True):
    """The glibc that files tagged plain `linux_*` need."""

    package: str
    source_id: str
    glibc: str
    source: str
    as_of: str
    built_on: str | None = None
    note: str | None = None


class AbiRow(msgspec.Struct, frozen=True):
    """The C++ ABI of torch's own Linux wheels; the first matching row counts."""

    cxx11abi: bool
    source: str
    as_of: str
    since: str | None = None
    before: str | None = None
    toolkit_before: str | None = None


class PackageRow(msgspec.Struct, frozen=True):
    """What sets a package apart from the usual case."""

    package: str
    source: str
    as_of: str
    torch_match: Literal["minor", "exact"] = "minor"
    os: tuple[str, ...] | None = None
    musl: bool = True
    note: str | None = None


class RecipeRow(msgspec.Struct, frozen=True):
    """A source or host outside upstream whose build recipe is public."""

    name: str
    source: str
    as_of: str
    note: str | None = None


class SeriesRow(msgspec.Struct, frozen=True):
    """The torch minors that have any wheel of one series, so that a search need not read the others."""

    package: str
    series: str
    torch_minors: tuple[str, ...]
    source: str
    as_of: str


class BuildFacts(msgspec.Struct, frozen=True):
    """`build_facts.json`: what is known about builds beyond their names."""

    gpu_code: tuple[GpuCodeRow, ...]
    glibc: tuple[GlibcRow, ...]
    pip_torch_abi: tuple[AbiRow, ...]
    packages: tuple[PackageRow, ...]
    public_recipes: tuple[RecipeRow, ...]
    series: tuple[SeriesRow, ...]
