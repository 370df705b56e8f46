"""Which torch builds exist, and what is inside them: CUDA, architectures, pythons, C++ ABI, companions."""

import re
from functools import cache, lru_cache

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import local, major_minor, numbers, public

INDEX = "https://download.pytorch.org/whl/"

_RELEASED = r"(?a)v?\d+(\.\d+)*(\.post\d+)?"  # not 2.8.0a0, 2.8.0.dev20250601, 2.8.0rc1
_VARIANT = r"(?a)cpu|cu\d+|rocm[\d.]+|xpu"  # the local parts of PyTorch's own wheels

_CUDA_VARIANT = r"(?a)cu(\d{2})(\d)"


class Build(msgspec.Struct, frozen=True):
    """One installable torch build."""

    torch: str
    cuda: str | None
    variant: str
    arch_list: tuple[str, ...] | None
    requires_python: str
    python_tags: tuple[str, ...] | None
    on_pypi: bool
    index_url: str
    wheel_bytes: int | None
    source: str


class Pins(msgspec.Struct, frozen=True):
    """The companions that belong to one torch; None or empty: not established, or there is none."""

    torch: str
    torchvision: str | None
    torchaudio: str | None
    triton: str | None
    xformers: tuple[str, ...]
    cudnn: str | None
    source: str


class Release(msgspec.Struct, frozen=True):
    """One torch version; the dictionaries are keyed by platform, as in 'linux-x86_64'."""

    torch: str
    requires_python: str
    pypi_cuda: dict[str, str]
    python: dict[str, str]
    cxx_default: int
    cxx_required: int
    source: str
    as_of: str
    wheel_bytes: dict[str, int] = msgspec.field(default_factory=dict)
    torchvision: str | None = None
    torchaudio: str | None = None
    triton: str | None = None
    cudnn: str | None = None
    xformers: tuple[str, ...] = ()


class Span(msgspec.Struct, frozen=True):
    """A run of torch minors, both ends included, on one platform (or several, separated by spaces)."""

    first: str
    last: str | None
    platform: str
    source: str
    as_of: str


class Variants(Span, frozen=True, kw_only=True):
    """The CUDA variants that the PyTorch index holds."""

    variants: str


class Archs(Span, frozen=True, kw_only=True):
    """The GPU code inside the builds for one CUDA."""

    cuda: str
    archs: str


class Abi(Span, frozen=True, kw_only=True):
    """The C++ ABI a build reports; `locals` and `cuda` narrow the row. The first row that fits counts."""

    abi: bool
    cuda: str | None = None
    locals: str | None = None


class Table(msgspec.Struct, frozen=True):
    """torch_builds.json."""

    as_of: str
    notes: tuple[str, ...]
    releases: tuple[Release, ...]
    index: tuple[Variants, ...]
    archs: tuple[Archs, ...]
    abi: tuple[Abi, ...]


def table() -> Table:
    """The whole table, newest release first."""
    found: Table = load("torch_builds", Table)
    return found


def newest() -> str:
    """The newest torch version of the table."""
    return max((release.torch for release in table().releases), key=numbers)


def oldest() -> str:
    """The oldest torch version of the table."""
    return min((release.torch for release in table().releases), key=numbers)


def known(torch: str) -> bool:
    """Whether the minor of this version is in the table."""
    return _nearest(torch) is not None


def is_release(torch: str) -> bool:
    """Whether this is one of PyTorch's own releases, by its name: no nightly, no vendor build."""
    suffix = local(torch)
    return bool(re.fullmatch(_RELEASED, public(torch))) and (suffix is None or bool(re.fullmatch(_VARIANT, suffix)))


def default_cuda(torch: str, os: str, arch: str) -> str | None:
    """The CUDA of the wheel PyPI carries; None where that wheel is a CPU build or the release is unknown."""
    release = _nearest(torch)
    return None if release is None else release.pypi_cuda.get(f"{os}-{arch}")


def cxx_default(torch: str) -> int | None:
    """The C++ standard this torch compiles extensions with unless they name one: 17 or 20."""
    release = _nearest(torch)
    return None if release is None else release.cxx_default


def cxx_required(torch: str) -> int | None:
    """The oldest C++ standard the headers of this torch accept: 17 or 20."""
    release = _nearest(torch)
    return None if release is None else release.cxx_required


def arch_list(torch: str, cuda: str | None, os: str, arch: str) -> tuple[tuple[str, ...], str] | None:
    """The architectures of a released build and where that is known from; None where it is not established."""
    if cuda is None or not numbers(cuda) or not is_release(torch) or not _named_cuda_agrees(torch, cuda):
        return None
    wanted = major_minor(cuda)
    for row in table().archs:
        if row.cuda == wanted and _covers(row, torch, f"{os}-{arch}"):
            return tuple(row.archs.split()), row.source
    return None


def cxx11abi(torch: str, cuda: str | None, os: str, arch: str) -> bool | None:
    """The C++11 ABI this torch reports; None where not established, and on macOS, which has no such switch.

    A nightly or vendor build is judged only where every build of its minor agrees.
    """
    suffix = local(torch) or ""
    wanted = major_minor(cuda) if cuda and numbers(cuda) else None
    fitting = [row for row in table().abi if _covers(row, torch, f"{os}-{arch}") and _local_fits(row, suffix)]
    if not fitting:
        return None
    if fitting[0].locals is None and fitting[0].last is not None and not is_release(torch):
        return None
    for row in fitting:
        if row.cuda is None or row.cuda == wanted:
            return row.abi
    return None


@cache
def builds(os: str, arch: str) -> tuple[Build, ...]:
    """Every CUDA and CPU build known for the platform, newest torch first, newest CUDA first, CPU last."""
    platform = f"{os}-{arch}"
    found: list[Build] = []
    for release in sorted(table().releases, key=lambda release: numbers(release.torch), reverse=True):
        if platform not in release.python:
            continue
        variants = sorted(_index_variants(release.torch, platform), key=_variant_key, reverse=True)
        found += [_build(release, os, arch, variant) for variant in (*variants, "cpu")]
    return tuple(found)


def pins(torch: str) -> Pins | None:
    """What belongs to this torch; the nearest patch of the same minor where this one is not a row."""
    release = _nearest(torch)
    if release is None:
        return None
    return Pins(
        torch=release.torch,
        torchvision=release.torchvision,
        torchaudio=release.torchaudio,
        triton=release.triton,
        xformers=release.xformers,
        cudnn=release.cudnn,
        source=release.source,
    )


def triton_of_minor(torch: str) -> str | None:
    """The Triton of the newest known release of the same minor, else of the newest release older than it."""
    minor = numbers(major_minor(torch))
    known = [release for release in table().releases if release.triton]
    same = [release.triton for release in known if numbers(major_minor(release.torch)) == minor]
    older = [release.triton for release in known if numbers(major_minor(release.torch)) < minor]
    return next(iter((*same, *older)), None)


def cuda_of_variant(variant: str) -> str | None:
    """'cu128' -> '12.8'; None for 'cpu' and anything else."""
    named = re.fullmatch(_CUDA_VARIANT, variant)
    return f"{named[1]}.{named[2]}" if named else None


def _build(release: Release, os: str, arch: str, variant: str) -> Build:
    platform = f"{os}-{arch}"
    cuda = cuda_of_variant(variant)
    on_pypi = release.pypi_cuda.get(platform) == cuda
    inside = arch_list(release.torch, cuda, os, arch)
    return Build(
        torch=release.torch,
        cuda=cuda,
        variant=variant,
        arch_list=inside[0] if inside else None,
        requires_python=release.requires_python,
        python_tags=tuple(release.python[platform].split()) or None,
        on_pypi=on_pypi,
        index_url=INDEX + variant,
        wheel_bytes=release.wheel_bytes.get(platform) if on_pypi else None,
        source=f"{release.source}; {inside[1]}" if inside else release.source,
    )


def _index_variants(torch: str, platform: str) -> tuple[str, ...]:
    for row in table().index:
        if _covers(row, torch, platform):
            return tuple(row.variants.split())
    return ()


def _variant_key(variant: str) -> tuple[int, ...]:
    return numbers(cuda_of_variant(variant) or "")


def _covers(row: Span, torch: str, platform: str) -> bool:
    if platform not in row.platform.split():
        return False
    minor = numbers(major_minor(torch))
    return numbers(row.first) <= minor and (row.last is None or minor <= numbers(row.last))


def _local_fits(row: Abi, suffix: str) -> bool:
    return row.locals is None or any(name in suffix for name in row.locals.split())


def _named_cuda_agrees(torch: str, cuda: str) -> bool:
    suffix = local(torch)
    return suffix is None or cuda_of_variant(suffix) == major_minor(cuda)


@lru_cache(maxsize=1024)
def _nearest(torch: str) -> Release | None:
    """The row of this version, else the newest older patch of its minor, else the oldest newer one."""
    minor = major_minor(torch)
    rows = [release for release in table().releases if major_minor(release.torch) == minor]
    older = [release for release in rows if numbers(release.torch) <= numbers(torch)]
    if older:
        return max(older, key=lambda release: numbers(release.torch))
    return min(rows, key=lambda release: numbers(release.torch), default=None)
