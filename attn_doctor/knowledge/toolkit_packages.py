"""Where a CUDA toolkit can be had beside everything else: wheels, conda packages, runfiles, package repositories."""

from typing import Literal

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import major, numbers


class Wheels(msgspec.Struct, frozen=True):
    """NVIDIA's wheels that make a compiling toolkit of one CUDA; bytes by architecture."""

    cuda: str
    packages: tuple[str, ...]
    home: str
    cudart: str
    download_bytes: dict[str, int]
    disk_bytes: dict[str, int]
    source: str


class WithoutCompiler(msgspec.Struct, frozen=True):
    """A CUDA major whose wheels hold no compiler."""

    cuda_major: int
    what: str
    source: str


class Conda(msgspec.Struct, frozen=True):
    """A channel that has the compiler of these CUDAs; `{cuda}` in a package stands for the version."""

    cudas: tuple[str, ...]
    channel: str
    packages: tuple[str, ...]
    arches: tuple[str, ...]
    source: str
    headers: dict[str, str] = {}


class File(msgspec.Struct, frozen=True):
    """An installer for one architecture; None: not published where we read it."""

    name: str
    sha256: str | None = None
    bytes: int | None = None


class Runfile(msgspec.Struct, frozen=True):
    """The installers of one release, by architecture."""

    cuda: str
    release: str
    files: dict[str, File]
    source: str


class Repository(msgspec.Struct, frozen=True):
    """NVIDIA's package repository for distributions whose names begin so."""

    distributions: tuple[str, ...]
    name: str
    tool: Literal["apt", "dnf"]
    arches: tuple[str, ...]
    source: str


class Table(msgspec.Struct, frozen=True):
    """toolkit_packages.json."""

    as_of: str
    notes: tuple[str, ...]
    wheels: tuple[Wheels, ...]
    without_compiler: tuple[WithoutCompiler, ...]
    conda: tuple[Conda, ...]
    downloads: str
    runfiles: tuple[Runfile, ...]
    keyring: str
    repository_arches: dict[str, str]
    """As the repositories call the architectures."""
    repositories: tuple[Repository, ...]


def table() -> Table:
    """The whole table, newest CUDA first."""
    found: Table = load("toolkit_packages", Table)
    return found


def wheels(cuda: str, arch: str) -> Wheels | None:
    """The wheels for a CUDA major.minor; None where there are none that suffice."""
    return next((row for row in table().wheels if row.cuda == cuda and arch in row.download_bytes), None)


def without_compiler(cuda: str) -> WithoutCompiler | None:
    """What the wheels of that CUDA's major hold in place of a compiler; None where they hold one, or are not known."""
    return next((row for row in table().without_compiler if row.cuda_major == major(cuda)), None)


def conda(cuda: str, arch: str) -> Conda | None:
    """The channel that has that CUDA."""
    return next((row for row in table().conda if cuda in row.cudas and arch in row.arches), None)


def runfile(cuda: str, arch: str) -> Runfile | None:
    """The newest listed installer of that CUDA."""
    return next((row for row in table().runfiles if row.cuda == cuda and arch in row.files), None)


def repository(distribution: str, arch: str) -> Repository | None:
    """The package repository for 'Ubuntu 22.04.4 LTS' and its like; 'WSL' for Linux in Windows."""
    for row in table().repositories:
        if arch in row.arches and distribution.startswith(row.distributions):
            return row
    return None


def minors(arch: str) -> tuple[str, ...]:
    """Every CUDA major.minor that one of the tables has without root, oldest first."""
    found = {row.cuda for row in table().wheels if arch in row.download_bytes}
    found |= {cuda for row in table().conda if arch in row.arches for cuda in row.cudas}
    found |= {row.cuda for row in table().runfiles if arch in row.files}
    return tuple(sorted(found, key=numbers))
