"""CUDA toolkits: the drivers they need, the compilers they accept, the architectures they build for."""

from functools import lru_cache
from typing import Literal

import msgspec

from attn_doctor.knowledge.capability import parse
from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import major, major_minor, numbers

_LARGEST_UPDATE = 9  # the third number of '12.8.1' is an update, that of nvcc's '12.8.93' a build


class Major(msgspec.Struct, frozen=True):
    """The oldest driver that runs every toolkit of one CUDA major."""

    major: int
    linux: str
    windows: str
    source: str
    as_of: str


class LastBranch(msgspec.Struct, frozen=True):
    """The last driver branch for GPUs below a compute capability, lowest first."""

    below: str
    branch: int
    source: str
    as_of: str


class Toolkit(msgspec.Struct, frozen=True):
    """The driver released with one toolkit; none comes with a Windows toolkit from 13.0 on."""

    cuda: str
    linux: str
    source: str
    as_of: str
    windows: str | None = None


class Nvcc(msgspec.Struct, frozen=True):
    """The host gcc majors and the architectures of one toolkit's compiler."""

    cuda: str
    source: str
    as_of: str
    max_gcc: int | None = None
    min_gcc: int | None = None
    archs: str | None = None


class Table(msgspec.Struct, frozen=True):
    """cuda.json."""

    as_of: str
    notes: tuple[str, ...]
    last_branches: tuple[LastBranch, ...]
    majors: tuple[Major, ...]
    toolkits: tuple[Toolkit, ...]
    nvcc: tuple[Nvcc, ...]


def table() -> Table:
    """The whole table, newest CUDA first."""
    found: Table = load("cuda", Table)
    return found


def newest() -> str:
    """The newest CUDA of the table, as major.minor."""
    cudas = [row.cuda for row in table().toolkits] + [row.cuda for row in table().nvcc]
    return max(map(major_minor, cudas), key=numbers)


def newest_driver(os: str, on: str | None = None) -> str:
    """The newest driver of the table; with a compute capability, the newest that still drives such a GPU."""
    drivers = [row.windows or row.linux if os == "windows" else row.linux for row in table().toolkits]
    last = next((row.branch for row in table().last_branches if on and numbers(on) < numbers(row.below)), None)
    return max((driver for driver in drivers if last is None or major(driver) <= last), key=numbers)


def newest_capability() -> str:
    """The highest compute capability that any toolkit of the table targets."""
    targets = [parsed[1:3] for row in table().nvcc for arch in (row.archs or "").split() if (parsed := parse(arch))]
    highest = max(targets)
    return f"{highest[0]}.{highest[1]}"


def majors() -> tuple[int, ...]:
    """The CUDA majors of which a floor is known, oldest first."""
    return tuple(sorted(row.major for row in table().majors))


def driver_floor(cuda: str, os: str) -> str | None:
    """The oldest driver a program built with this CUDA runs on: the floor of its major, not of its toolkit."""
    wanted = major(cuda)
    for row in table().majors:
        if row.major == wanted:
            return row.windows if os == "windows" else row.linux
    return None


def toolkit_driver(cuda: str, os: str) -> str | None:
    """The driver released with exactly this toolkit, which is what its PTX needs; on Windows from 13.0 the branch."""
    key = numbers(cuda)
    rows = sorted(
        (row for row in table().toolkits if key and major_minor(row.cuda) == major_minor(cuda)),
        key=lambda row: numbers(row.cuda),
    )
    if not rows:
        return None
    update = (*key, 0, 0, 0)[2]
    if update > _LARGEST_UPDATE:
        update = 0
    older = [row for row in rows if numbers(row.cuda) <= numbers(f"{major_minor(cuda)}.{update}")]
    return _driver(older[-1] if older else rows[0], os)


@lru_cache(maxsize=1024)
def cuda_of_driver(driver: str, os: str) -> str | None:
    """The highest CUDA this driver offers, as nvidia-smi prints it; None below the table."""
    key = numbers(driver)
    offered = [row.cuda for row in table().toolkits if numbers(_driver(row, os)) <= key]
    return major_minor(max(offered, key=numbers)) if offered else None


def max_gcc(cuda: str) -> int | None:
    """The newest gcc major nvcc accepts as host compiler."""
    row = _nvcc(cuda)
    return None if row is None else row.max_gcc


def min_gcc(cuda: str) -> int | None:
    """The oldest gcc major nvcc accepts as host compiler."""
    row = _nvcc(cuda)
    return None if row is None else row.min_gcc


def nvcc_archs(cuda: str) -> tuple[str, ...] | None:
    """The architectures nvcc can build for; None where not established."""
    row = _nvcc(cuda)
    return None if row is None or row.archs is None else tuple(row.archs.split())


def source(cuda: str, about: Literal["floor", "toolkit", "nvcc"]) -> str | None:
    """Where a value of this table is known from."""
    minor = major_minor(cuda)
    match about:
        case "floor":
            found = [row.source for row in table().majors if row.major == major(cuda)]
        case "toolkit":
            found = [row.source for row in table().toolkits if major_minor(row.cuda) == minor]
        case "nvcc":
            found = [row.source for row in table().nvcc if row.cuda == minor]
    return found[0] if found else None


def _nvcc(cuda: str) -> Nvcc | None:
    if not numbers(cuda):
        return None
    minor = major_minor(cuda)
    for row in table().nvcc:
        if row.cuda == minor:
            return row
    return None


def _driver(row: Toolkit, os: str) -> str:
    if os != "windows":
        return row.linux
    return row.windows or str(major(row.linux))
