"""Container images: which tags exist, what is inside them, and what goes into an image beside torch."""

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import major_minor, numbers, public

Flavour = Literal["base", "runtime", "devel"]


class Distribution(msgspec.Struct, frozen=True):
    """A distribution that images are built on, by the suffix of their tags. None: not established."""

    name: str
    python: str | None
    glibc: str | None
    source: str
    image: str | None = None
    gcc: str | None = None
    externally_managed: bool = False
    """Whether its own pip refuses to install outside an environment (PEP 668)."""


class CudaImage(msgspec.Struct, frozen=True):
    """The newest tag of one CUDA minor, for the distributions it comes with, best first."""

    cuda: str
    distributions: tuple[str, ...]
    arches: tuple[str, ...]
    source: str


class Requirement(msgspec.Struct, frozen=True):
    """GPUs of this brand are refused by images from that CUDA on where the driver offers less."""

    since: str
    brand: str
    variable: str
    source: str


class Jetson(msgspec.Struct, frozen=True):
    """GPUs for which NVIDIA makes other images."""

    capabilities: tuple[str, ...]
    arch: str
    source: str


class Pinned(msgspec.Struct, frozen=True, rename={"serves": "for"}):
    """A package that goes in beside others, or (`build`) is needed to compile them."""

    name: str
    version: str
    serves: tuple[str, ...]
    source: str
    since_torch: str | None = None
    before_torch: str | None = None


class Fetches(msgspec.Struct, frozen=True):
    """A package whose set-up asks its releases for a file of another CUDA major than torch's."""

    package: str
    before: str
    torch_cuda: int
    asks_for: int
    source: str


class Mover(msgspec.Struct, frozen=True):
    """A package whose newest release demands a torch of its own."""

    name: str
    version: str
    demands: str
    source: str


class DriverPackage(msgspec.Struct, frozen=True):
    """Packages of a distribution that bring a driver, by a pattern of their names."""

    pattern: str
    source: str


class Table(msgspec.Struct, frozen=True):
    """images.json."""

    as_of: str
    notes: tuple[str, ...]
    repository: str
    distributions: tuple[Distribution, ...]
    older: tuple[Distribution, ...]
    cuda: tuple[CudaImage, ...]
    requirement: Requirement
    jetson: Jetson
    packages: tuple[Pinned, ...]
    fetches: Fetches
    moves_torch: tuple[Mover, ...]
    driver_packages: tuple[DriverPackage, ...]


def table() -> Table:
    """The whole table, newest CUDA first."""
    found: Table = load("images", Table)
    return found


def distribution(name: str) -> Distribution | None:
    """The distribution of a tag's suffix, those that are only recognised included."""
    return next((row for row in (*table().distributions, *table().older) if row.name == name), None)


def tag(cuda: str, flavour: Flavour, on: str, arch: str) -> str | None:
    """'nvidia/cuda:12.8.1-base-ubuntu24.04' for CUDA 12.8; None where no such image is known."""
    for row in table().cuda:
        if major_minor(row.cuda) == major_minor(cuda) and on in row.distributions and arch in row.arches:
            return f"{table().repository}:{row.cuda}-{flavour}-{on}"
    return None


def pinned(serves: str, torch: str | None = None) -> tuple[Pinned, ...]:
    """What goes in beside that package with that torch."""
    return tuple(row for row in table().packages if serves in row.serves and _suits(row, torch))


def mover(name: str) -> Mover | None:
    """The row of a package that may replace torch; None where nothing is known of it."""
    return next((row for row in table().moves_torch if row.name == name), None)


def brings_a_driver(package: str) -> bool:
    """Whether a package of a distribution, by its name, brings an NVIDIA driver."""
    return any(fnmatchcase(package, row.pattern) for row in table().driver_packages)


def _suits(row: Pinned, torch: str | None) -> bool:
    have = numbers(public(torch)) if torch else ()
    if row.since_torch and have < numbers(row.since_torch):
        return False
    return row.before_torch is None or have < numbers(row.before_torch)
