"""The embedded catalogue of published wheels.

Nothing here makes up a file name: each was seen in a release or an index, or follows from the tagged
build matrix (`evidence` says which). Files of one build that differ only in Python stand in one line
of `catalogue/<package>.json`; flash-attn, by far the longest list, is split by torch minor.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Literal

import msgspec

from attn_doctor.knowledge.versions import major_minor, numbers

FOLDER = os.path.join(os.path.dirname(__file__), "catalogue")
BY_TORCH = ".torch-"
NOT_SHELVES = frozenset({"sources", "build_facts", "conda-forge", "hf-kernels", "xformers-index"})

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
    pythons: tuple[str, ...]
    sha256: tuple[str | None, ...] | None = None
    url: str | None = None


class Shelf(msgspec.Struct, frozen=True):
    """One file of the catalogue."""

    package: str
    shapes: tuple[Shape, ...]
    groups: tuple[Group, ...]


class Source(msgspec.Struct, frozen=True):
    """Where files lie and how far to trust them."""

    level: Trust
    url_template: str | None = None
    snapshot: str | None = None
    repo: str | None = None
    trust: str | None = None
    """In words."""


class Sources(msgspec.Struct, frozen=True):
    """`sources.json`."""

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


def as_of() -> str:
    """The day the catalogue was put together; each wheel carries the date of its own source."""
    return _sources().as_of


def packages() -> tuple[str, ...]:
    """Every package with wheels in the catalogue."""
    return tuple(sorted({stem.partition(BY_TORCH)[0] for stem in _stems() if stem not in NOT_SHELVES}))


def wheels(package: str, torch_minor: str | None = None) -> tuple[Wheel, ...]:
    """Every known wheel of a package; with `torch_minor` ('2.8') those that may suit that torch."""
    if any(stem.startswith(f"{package}{BY_TORCH}") for stem in _stems()):
        return _split_wheels(package, torch_minor)
    if package not in packages():
        return ()
    found = _shelf_wheels(package)
    if torch_minor is None:
        return found
    return tuple(wheel for wheel in found if serves_minor(wheel.torch, torch_minor))


def minors(package: str, series: str) -> frozenset[str] | None:
    """The torch minors that have any wheel of that series; None where the catalogue keeps no such list."""
    row = next((row for row in build_facts().series if (row.package, row.series) == (package, series)), None)
    if row is not None:
        return frozenset(row.torch_minors)
    split = [stem.partition(BY_TORCH)[2] for stem in _stems() if stem.startswith(f"{package}{BY_TORCH}")]
    return frozenset(split) or None


def serves_minor(token: str | None, torch_minor: str) -> bool:
    """Whether a torch token ('2.8', '2.8.0', '>=2.9', None: any) can mean this torch minor."""
    if token is None:
        return True
    if token.startswith(">="):
        return numbers(torch_minor) >= numbers(major_minor(token[2:]))
    return major_minor(token) == major_minor(torch_minor)


@cache
def package_row(package: str) -> PackageRow:
    """The package's row of `build_facts.json`, or the usual case."""
    for row in build_facts().packages:
        if row.package == package:
            return row
    return PackageRow(package, source="default", as_of=as_of())


@lru_cache(maxsize=1024)
def pip_torch_abi(torch: str, cuda: str | None) -> bool | None:
    """The C++ ABI of pip's Linux torch ('2.6.0', '12.4'); None where the CUDA version decides and is not known."""
    for row in build_facts().pip_torch_abi:
        if not _in_range(torch, row.since, row.before):
            continue
        if row.toolkit_before is None:
            return row.cxx11abi
        if cuda is None:
            return None
        if numbers(cuda) < numbers(row.toolkit_before):
            return row.cxx11abi
    return None


@lru_cache(maxsize=1024)
def version_key(version: str) -> VersionKey:
    """A sortable key: 4.0.0b9 < 4.0.0b36 < 4.0.0 < 4.0.0.post1."""
    match = re.match(_VERSION, version)
    if match is None:
        return (numbers(version), 0, 0, -1)
    release, stage, stage_number, post = match.groups()
    rank = _STAGES[stage] if stage else len(_STAGES)
    return (numbers(release), rank, int(stage_number or 0), -1 if post is None else int(post))


def cuda_version(token: str | None) -> str | None:
    """'cu128' -> '12.8', 'cu12' -> '12', None -> None."""
    if token is None:
        return None
    digits = token.removeprefix("cu")
    return f"{digits[:2]}.{digits[2:]}" if digits[2:] else digits


_VERSION = r"(\d+(?:\.\d+)*)(?:(a|b|rc)(\d+))?(?:\.post(\d+))?"
_STAGES = {"a": 0, "b": 1, "rc": 2}
_GLIBC_TAG = r"manylinux_(\d+)_(\d+)_"
_OLD_GLIBC_TAGS = {"manylinux2014": "2.17", "manylinux2010": "2.12", "manylinux1": "2.5"}  # PEP 600


@cache
def _stems() -> tuple[str, ...]:
    return tuple(sorted(name[:-5] for name in os.listdir(FOLDER) if name.endswith(".json")))


def _read(stem: str) -> bytes:
    with open(os.path.join(FOLDER, f"{stem}.json"), "rb") as file:
        return file.read()


@cache
def _sources() -> Sources:
    return msgspec.json.decode(_read("sources"), type=Sources)


@cache
def build_facts() -> BuildFacts:
    """What is known about builds beyond their names."""
    return msgspec.json.decode(_read("build_facts"), type=BuildFacts)


def _split_wheels(package: str, torch_minor: str | None) -> tuple[Wheel, ...]:
    if torch_minor is not None:
        stem = f"{package}{BY_TORCH}{major_minor(torch_minor)}"
        return _shelf_wheels(stem) if stem in _stems() else ()
    stems = (stem for stem in _stems() if stem.startswith(f"{package}{BY_TORCH}"))
    return tuple(wheel for stem in stems for wheel in _shelf_wheels(stem))


@cache
def _shelf_wheels(stem: str) -> tuple[Wheel, ...]:
    found = tuple(_expand(msgspec.json.decode(_read(stem), type=Shelf)))
    return found + tuple(_index_wheels(found)) if stem == "xformers" else found


def _expand(shelf: Shelf) -> Iterator[Wheel]:
    """Every file of a shelf. What a group shares is worked out once: this loop makes thousands of wheels."""
    recipes = {row.name for row in build_facts().public_recipes}
    for group in shelf.groups:
        shape = shelf.shapes[group.shape]
        source = source_row(shape.source)
        code, limit = _gpu_code(shelf.package, group.version, shape.source, shape.nvcc or cuda_version(group.cuda))
        needs_glibc = _glibc(shelf.package, shape.source, shape.built_on, group.platform)
        abi = _real_abi(group, shape)
        dated = source.snapshot or as_of()
        public = shape.source in recipes or shape.host in recipes
        for index, python in enumerate(group.pythons):
            filename = f"{group.head}-{python}-{group.platform}.whl"
            python_tag, _, abi_tag = python.partition("-")
            sha256 = group.sha256[index] if group.sha256 else None
            for tag in group.tags:
                yield Wheel(
                    shelf.package, group.version, filename, python_tag, abi_tag, group.platform,
                    group.cuda, group.torch, abi, shape.source, tag, source.level,
                    group.url or _url(shape.source, tag, filename), sha256, shape.evidence, shape.conf,
                    needs_glibc, code, dated, limit, shape.cxx11abi_real is not None,
                    shape.torch_full, shape.requires_python, shape.note, public,
                )  # fmt: skip


@cache
def source_row(name: str) -> Source:
    """The source of that name."""
    sources = _sources().sources
    return sources.get(name) or sources[f"{name.partition(':')[0]}:*"]


@cache
def _url_head(source: str, tag: str | None) -> str | None:
    template = source_row(source).url_template
    if template is None or tag is None:
        return None
    head = template.replace("{tag}", tag).removesuffix("{qfile}")
    return head.replace("{owner}/{repo}", source.partition(":")[2])


def _url(source: str, tag: str | None, filename: str) -> str | None:
    head = _url_head(source, tag)
    return None if head is None else head + filename.replace("+", "%2B")


def _real_abi(group: Group, shape: Shape) -> bool | None:
    if shape.cxx11abi_real is not None:
        return shape.cxx11abi_real
    # a Linux file whose name is silent was built against pip's torch and has its ABI
    if group.cxx11abi is None and "linux" in group.platform and group.torch is not None:
        return pip_torch_abi(group.torch.removeprefix(">="), cuda_version(group.cuda))
    return group.cxx11abi


@cache
def _gpu_code(
    package: str, version: str, source: str, toolkit: str | None
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    known = toolkit if toolkit and "." in toolkit else None  # 'cu12' names no toolkit
    for row in build_facts().gpu_code:
        if row.package != package or (row.sources is not None and source not in row.sources):
            continue
        if not _in_range(version, row.since, row.before):
            continue
        if row.toolkit_before is None or (known and numbers(known) < numbers(row.toolkit_before)):
            return row.code, row.limit
    return None, None


@cache
def _glibc(package: str, source: str, built_on: str | None, platform: str) -> str | None:
    """From the platform tag (of several the lowest: the file meets each), else from the rows on plain tags."""
    tags = [f"{match[1]}.{match[2]}" for match in re.finditer(_GLIBC_TAG, platform)]
    tags += [glibc for name, glibc in _OLD_GLIBC_TAGS.items() if f"{name}_" in platform]
    if tags:
        return min(tags, key=numbers)
    if "linux" not in platform:
        return None
    for row in build_facts().glibc:
        if (row.package, row.source_id) == (package, source) and row.built_on in (None, built_on):
            return row.glibc
    return None


def _in_range(version: str, since: str | None, before: str | None) -> bool:
    key = version_key(version)
    if since is not None and key < version_key(since):
        return False
    return before is None or key < version_key(before)


def _index_wheels(through_pip: tuple[Wheel, ...]) -> Iterator[Wheel]:
    """The PyTorch index holds other CUDA builds of xformers under the very names that PyPI carries.

    Older releases carry the CUDA version in the name; of those only the names that were seen are given.
    """
    for variant in msgspec.json.decode(_read("xformers-index"), type=IndexVariants).rows:
        named = dict.fromkeys(variant.listed_examples, variant.built_with_torch)
        if variant.filename_has_cuda_suffix is False:
            for wheel in through_pip:
                if wheel.version == variant.version and wheel.source == "pypi" and wheel.torch:
                    for cuda in variant.index_cuda:
                        if cuda != variant.pypi_variant and _in_index(variant, cuda, wheel.platform):
                            named[f"{cuda}/{wheel.filename}"] = wheel.torch
        for path, torch in named.items():
            yield _index_wheel(variant, path, torch)


def _in_index(variant: IndexVariant, cuda: str, platform: str) -> bool:
    if not platform.startswith("win"):
        return True
    if variant.windows_index is None:
        return False
    floor = variant.windows_index.partition("+")[0]
    return numbers(cuda_version(cuda) or "") >= numbers(cuda_version(floor) or "")


def _index_wheel(variant: IndexVariant, path: str, torch: str) -> Wheel:
    cuda, _, filename = path.partition("/")
    python, abi, platform = filename.removesuffix(".whl").rsplit("-", 3)[1:]
    source = source_row(variant.source)
    seen = path in variant.listed_examples
    code, limit = _gpu_code("xformers", variant.version, variant.source, cuda)
    return Wheel(
        package="xformers",
        version=variant.version,
        filename=filename,
        python_tag=python,
        abi_tag=abi,
        platform=platform,
        cuda=cuda,
        torch=torch,
        cxx11abi=pip_torch_abi(torch.removeprefix(">="), cuda_version(cuda)) if "linux" in platform else None,
        source=variant.source,
        tag=cuda,
        trust=source.level,
        url=_url(variant.source, cuda, filename),
        sha256=None,
        evidence="listed" if seen else variant.evidence,
        confidence="high" if seen else "medium",
        needs_glibc=_glibc("xformers", variant.source, None, platform),
        gpu_code=code,
        gpu_limit=limit,
        as_of=source.snapshot or as_of(),
        built_with_torch=variant.built_with_torch,
    )
