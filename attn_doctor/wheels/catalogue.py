"""The catalogue of published wheels: the one in this package, or a refreshed copy where that is newer.

Nothing here makes up a file name: each was seen in a release or an index, or follows from the tagged
build matrix (`evidence` says which). Files of one build that differ only in Python stand in one line
of `catalogue/<package>.json`; flash-attn, by far the longest list, is split by torch minor.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from typing import TypeVar

import msgspec

from attn_doctor.errors import CatalogueUnusable
from attn_doctor.knowledge.versions import major_minor, numbers
from attn_doctor.wheels import refreshed
from attn_doctor.wheels.embedded import FOLDER, WRONG, sources, stems, table
from attn_doctor.wheels.tables import (
    BuildFacts,
    Group,
    IndexVariant,
    IndexVariants,
    PackageRow,
    Shape,
    Shelf,
    Source,
    Sources,
    Trust,
    VersionKey,
    Wheel,
)
from attn_doctor.wheels.tokens import cuda_version, in_range, serves_minor, version_key

__all__ = ["Group", "IndexVariant", "Shape", "Shelf", "Source", "Sources", "Trust", "VersionKey", "Wheel"]
__all__ += ["FOLDER", "cuda_version", "serves_minor", "version_key"]

BY_TORCH = ".torch-"
NOT_SHELVES = frozenset({"sources", "build_facts", "refresh", "conda-forge", "hf-kernels", "xformers-index"})
HEX_DIGITS = 64
MINORS = 1000  # no major has as many
T = TypeVar("T")


def as_of() -> str:
    """The day the catalogue was put together; each wheel carries the date of its own source."""
    copy = _copy()
    return copy.as_of if copy else sources().as_of


def fault() -> str | None:
    """Why a refreshed copy that is there is not used, in one sentence; the embedded catalogue answers in its place."""
    if _copy() is not None or not _faults:
        return None
    return (
        f"the refreshed copy of the catalogue is not used: {_faults[-1]}; `attn-doctor wheels refresh` writes it anew"
    )


def packages() -> tuple[str, ...]:
    """Every package with wheels in the catalogue."""
    return tuple(sorted({_package(stem) for stem in _stems() if stem not in NOT_SHELVES}))


def wheels(package: str, torch_minor: str | None = None) -> tuple[Wheel, ...]:
    """Every known wheel of a package; with `torch_minor` ('2.8') those that may suit that torch."""
    return whole(partial(_wheels, package, torch_minor))


def minors(package: str, series: str) -> frozenset[str] | None:
    """The torch minors that have any wheel of that series; None where the catalogue keeps no such list."""
    row = next((row for row in build_facts().series if (row.package, row.series) == (package, series)), None)
    if row is not None:
        return frozenset(row.torch_minors)
    split = [stem.partition(BY_TORCH)[2] for stem in _stems() if stem.startswith(f"{package}{BY_TORCH}")]
    return frozenset(split) or None


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
        if not in_range(torch, row.since, row.before):
            continue
        if row.toolkit_before is None:
            return row.cxx11abi
        if cuda is None:
            return None
        if numbers(cuda) < numbers(row.toolkit_before):
            return row.cxx11abi
    return None


_GLIBC_TAG = r"manylinux_(\d+)_(\d+)_"
_OLD_GLIBC_TAGS = {"manylinux2014": "2.17", "manylinux2010": "2.12", "manylinux1": "2.5"}  # PEP 600


_faults: list[str] = []
_set_asides: list[refreshed.Copy] = []


@cache
def _copy() -> refreshed.Copy | None:
    """The refreshed copy, unless the embedded catalogue is newer or the copy was found damaged."""
    embedded = sources()
    try:
        copy = refreshed.find()
    except refreshed.Damaged as damage:
        _faults.append(str(damage))
        return None
    usable = copy is not None and copy.as_of >= embedded.as_of and copy not in _set_asides
    return copy if usable else None


def _set_aside(damage: refreshed.Damaged) -> None:
    """From here on the embedded catalogue answers, or a copy that a refresh has put there in the meantime."""
    if copy := _copy():
        _set_asides.append(copy)
    _faults.append(str(damage))
    forget()


def forget() -> None:
    """Read everything anew: a refresh has come to its end."""
    for cached in (_copy, _stems, _shelf, _shelf_wheels, source_row, _url_head, package_row):
        cached.cache_clear()


@cache
def _stems() -> tuple[str, ...]:
    """Every file of the catalogue: those of the copy, and the embedded ones of packages that the copy has not."""
    embedded = stems()
    copy = _copy()
    if copy is None:
        return embedded
    copied = {_package(stem) for stem in copy.shelves}
    kept = {stem for stem in embedded if stem in NOT_SHELVES or _package(stem) not in copied}
    return tuple(sorted(kept | copy.shelves.keys()))


def _package(stem: str) -> str:
    return stem.partition(BY_TORCH)[0]


@cache
def build_facts() -> BuildFacts:
    """What is known about builds beyond their names."""
    return table("build_facts", BuildFacts)


def _wheels(package: str, torch_minor: str | None) -> tuple[Wheel, ...]:
    if is_split(package):
        return _split_wheels(package, torch_minor)
    if package not in packages():
        return ()
    found = _shelf_wheels(package)
    if torch_minor is None:
        return found
    return tuple(wheel for wheel in found if serves_minor(wheel.torch, torch_minor))


def _split_wheels(package: str, torch_minor: str | None) -> tuple[Wheel, ...]:
    if torch_minor is not None:
        stem = f"{package}{BY_TORCH}{major_minor(torch_minor)}"
        return _shelf_wheels(stem) if stem in _stems() else ()
    stems = (stem for stem in _stems() if stem.startswith(f"{package}{BY_TORCH}"))
    return tuple(wheel for stem in stems for wheel in _shelf_wheels(stem))


@cache
def _shelf_wheels(stem: str) -> tuple[Wheel, ...]:
    with _wrong_as_damage(stem):
        found = tuple(_expand(_shelf(stem)))
    return found + tuple(_index_wheels(found)) if stem == "xformers" else found


@lru_cache(maxsize=4)
def _shelf(stem: str) -> Shelf:
    with _wrong_as_damage(stem):
        return shelf_of_copy(stem) if _is_copied(stem) else table(stem, Shelf)


def _is_copied(stem: str) -> bool:
    copy = _copy()
    return copy is not None and stem in copy.shelves


@contextmanager
def _wrong_as_damage(stem: str) -> Iterator[None]:
    try:
        yield
    except WRONG as error:
        if _is_copied(stem):
            raise refreshed.Damaged(f"{stem}: {error}") from error
        raise CatalogueUnusable(f"{stem}.json is damaged ({type(error).__name__}: {error})") from error


def shelf_of_copy(stem: str) -> Shelf:
    """One shelf of the refreshed copy. Raises refreshed.Damaged."""
    copy = _copy()
    if copy is None:
        raise refreshed.Damaged("there is none")
    return msgspec.json.decode(refreshed.read(copy, stem), type=Shelf)


def embedded_shelves() -> Iterator[tuple[str, Shelf]]:
    """Every shelf of the package, by its stem."""
    for stem in stems():
        if stem not in NOT_SHELVES:
            yield stem, table(stem, Shelf)


def embedded_index_wheels() -> Iterator[Wheel]:
    """The wheels that stand on no shelf: see `_index_wheels`."""
    return _index_wheels(tuple(_expand(table("xformers", Shelf))))


def _expand(shelf: Shelf) -> Iterator[Wheel]:
    """Every file of a shelf."""
    recipes = frozenset(row.name for row in build_facts().public_recipes)
    for group in shelf.groups:
        yield from _files(shelf, group, recipes)


def _files(shelf: Shelf, group: Group, recipes: frozenset[str]) -> Iterator[Wheel]:
    """Every file of a group. What they share is worked out once: this loop makes thousands of wheels."""
    shape = shelf.shapes[group.shape]
    source = source_row(shape.source)
    code, limit = _gpu_code(shelf.package, group.version, shape.source, shape.nvcc or cuda_version(group.cuda))
    needs_glibc = _glibc(shelf.package, shape.source, shape.built_on, group.platform)
    abi = _real_abi(group, shape)
    dated = _dated(shape.source)
    public = shape.source in recipes or shape.host in recipes
    urls = [(tag, None if group.url else _url(shape.source, tag, group.head)) for tag in group.tags]
    for index, python in enumerate(pythons_of(shelf, group)):
        tail = f"-{python}-{group.platform}.whl"
        filename = group.head + tail
        python_tag, _, abi_tag = python.partition("-")
        sha256 = _digest(group.sha256[index]) if group.sha256 else None
        size_bytes = group.sizes[index] if group.sizes else None
        for tag, url in urls:
            yield Wheel(
                shelf.package, group.version, filename, python_tag, abi_tag, group.platform,
                group.cuda, group.torch, abi, shape.source, tag, source.level,
                url + tail if url else group.url, sha256, shape.evidence, shape.conf,
                needs_glibc, code, dated, limit, shape.cxx11abi_real is not None,
                shape.torch_full, shape.requires_python, shape.note, public, size_bytes,
            )  # fmt: skip


class Alike:
    """One build: files that differ in Python and release alone. Nothing of it is made before it is asked for."""

    __slots__ = (
        *("_group", "_one", "_recipes", "_shelf", "_stem"),
        *("cuda", "platform", "pythons", "requires_python", "source", "torch", "version"),
    )

    def __init__(self, stem: str, shelf: Shelf, group: Group, recipes: frozenset[str]) -> None:
        self._stem, self._shelf, self._group, self._recipes = stem, shelf, group, recipes
        self._one: Wheel | None = None
        self.version, self.torch, self.cuda, self.platform = group.version, group.torch, group.cuda, group.platform
        self.pythons = pythons_of(shelf, group)
        shape = shelf.shapes[group.shape]
        self.requires_python, self.source = shape.requires_python, shape.source

    def files(self) -> Iterator[Wheel]:
        """Every file of it."""
        with _wrong_as_damage(self._stem):
            yield from _files(self._shelf, self._group, self._recipes)

    def one(self) -> Wheel:
        """A file that stands for all of them, but for its Python and release."""
        if self._one is None:
            self._one = next(self.files())
        return self._one


class Single:
    """A file that stands alone, in the shape of a build."""

    __slots__ = ("_wheel", "cuda", "platform", "pythons", "requires_python", "source", "torch", "version")

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self.version, self.torch, self.cuda, self.platform = wheel.version, wheel.torch, wheel.cuda, wheel.platform
        self.pythons = (f"{wheel.python_tag}-{wheel.abi_tag}",)
        self.requires_python, self.source = wheel.requires_python, wheel.source

    def files(self) -> Iterator[Wheel]:
        return iter((self._wheel,))

    def one(self) -> Wheel:
        return self._wheel


def builds(package: str, torch_minor: str | None = None, *, every: bool = False) -> Iterator[Alike | Single]:
    """The builds of a package that may suit a torch minor (None: any); with `every` all, the nearest torch first.

    For who looks at many and takes few; call it inside `whole`.
    """
    recipes = frozenset(row.name for row in build_facts().public_recipes)
    for stem in _stems_of(package, torch_minor, every=every):
        if stem == "xformers":  # some of its files stand on no shelf
            yield from map(Single, _shelf_wheels(stem))
            continue
        with _wrong_as_damage(stem):
            shelf = _shelf(stem)
            for group in shelf.groups:
                if every or torch_minor is None or serves_minor(group.torch, torch_minor):
                    yield Alike(stem, shelf, group, recipes)


def _stems_of(package: str, torch_minor: str | None, *, every: bool) -> tuple[str, ...]:
    own = tuple(stem for stem in _stems() if stem not in NOT_SHELVES and _package(stem) == package)
    wanted = f"{package}{BY_TORCH}{major_minor(torch_minor)}" if torch_minor else None
    if wanted is None or not is_split(package):
        return own
    if every:
        return tuple(sorted(own, key=lambda stem: _distance(stem.partition(BY_TORCH)[2], torch_minor or "")))
    return tuple(stem for stem in own if stem == wanted)


def is_split(package: str) -> bool:
    """Whether the files of a package lie on a shelf for each torch minor."""
    return any(stem.startswith(f"{package}{BY_TORCH}") for stem in _stems())


def _distance(minor: str, wanted: str) -> tuple[bool, int]:
    """Newer torches upwards, then older ones downwards."""
    have, asked = ((*numbers(one), 0, 0)[:2] for one in (minor, wanted))
    steps = (have[0] - asked[0]) * MINORS + have[1] - asked[1]
    return steps < 0, abs(steps)


def whole(read: Callable[[], T]) -> T:
    """What `read` answers; anew from the embedded catalogue where the refreshed copy turns out to be damaged."""
    try:
        return read()
    except refreshed.Damaged as damage:
        _set_aside(damage)
    return whole(read)


def pythons_of(shelf: Shelf, group: Group) -> tuple[str, ...]:
    """The Pythons of a build, as tags: ('cp312-cp312', 'cp313-cp313')."""
    return shelf.pythons[group.pythons] if isinstance(group.pythons, int) else group.pythons


def _digest(written: str | None) -> str | None:
    if written is None or len(written) == HEX_DIGITS:
        return written
    return a2b_base64(f"{written}=").hex()


def _dated(source: str) -> str:
    """The day a source was last read."""
    copy = _copy()
    return (copy.snapshots.get(source) if copy else None) or source_row(source).snapshot or sources().as_of


@cache
def source_row(name: str) -> Source:
    """The source of that name."""
    known = sources().sources
    return known.get(name) or known[f"{name.partition(':')[0]}:*"]


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
        if not in_range(version, row.since, row.before):
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


def _index_wheels(through_pip: tuple[Wheel, ...]) -> Iterator[Wheel]:
    """The PyTorch index holds other CUDA builds of xformers under the very names that PyPI carries.

    Older releases carry the CUDA version in the name; of those only the names that were seen are given. Where a listing
    of the index was read, its files stand on the shelf themselves, and nothing follows from anything.
    """
    if any(wheel.source == "pytorch-index" for wheel in through_pip):
        return
    for variant in table("xformers-index", IndexVariants).rows:
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
    code, limit = _gpu_code("xformers", variant.version, variant.source, cuda_version(cuda))
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
        as_of=_dated(variant.source),
        built_with_torch=variant.built_with_torch,
    )


def read_rows(stem: str, kind: type[T]) -> tuple[T, ...]:
    """The rows of an embedded list that is not of wheels: builds of the Hub, packages of conda-forge."""
    found: dict[str, tuple[T, ...]] = table(stem, dict[str, tuple[kind, ...]])  # type: ignore[valid-type]
    return found["rows"]
