"""Attention kernels of the Hugging Face Hub: which repository holds which, and how frameworks name it."""

from typing import Literal

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import numbers

Evidence = Literal["seen", "must-build"]


class HubKernel(msgspec.Struct, frozen=True):
    """One repository. `gpu_code` None: Python that compiles on first use; `cuda_max` None: no end known."""

    repo: str
    backend: str
    version: int
    gpu_code: tuple[str, ...] | None
    cuda_min: str
    cuda_max: str | None
    first_torch: str | None
    source: str
    needs: tuple[str, ...] = ()
    os: tuple[str, ...] | None = None
    note: str | None = None


class Builds(msgspec.Struct, frozen=True):
    """Builds of a repository whose names were seen, or that it has to offer, and the day to which that belongs."""

    repo: str
    names: tuple[str, ...]
    day: str
    source: str
    evidence: Evidence = "seen"


class HubName(msgspec.Struct, frozen=True):
    """How a framework takes a kernel, from release `since` on. `instead_of`: what it stands in for by itself."""

    distribution: str
    since: str
    repo: str
    setting: str
    instead_of: str | None
    kernels: str
    """What it demands of the package `kernels`, as a specifier."""
    version: int | None
    source: str
    note: str | None = None


class Demand(msgspec.Struct, frozen=True):
    """What every compiled kernel of the Hub demands of a system."""

    glibc: str
    free_threaded_since: str
    python: str
    source: str


class Table(msgspec.Struct, frozen=True):
    """hub_kernels.json."""

    as_of: str
    notes: tuple[str, ...]
    demands: tuple[Demand, ...]
    kernels: tuple[HubKernel, ...]
    builds: tuple[Builds, ...]
    frameworks: tuple[HubName, ...]


def table() -> Table:
    """The whole table."""
    found: Table = load("hub_kernels", Table)
    return found


def kernels_of(backend: str) -> tuple[HubKernel, ...]:
    """The repositories that bring a backend, the plainest first."""
    return tuple(row for row in table().kernels if row.backend == backend)


def kernel(repo: str) -> HubKernel | None:
    """The row of a repository; None where the table has none."""
    return next((row for row in table().kernels if row.repo == repo), None)


def builds_of(repo: str) -> tuple[Builds, ...]:
    """The builds of that repository beside those that every kernel must offer."""
    return tuple(row for row in table().builds if row.repo == repo)


def demand() -> Demand:
    """What every compiled kernel demands."""
    return table().demands[0]


def named(distribution: str, version: str, repo: str) -> HubName | None:
    """How that release of a framework takes the kernel; None where it is older than the table or takes none."""
    own = [row for row in table().frameworks if (row.distribution, row.repo) == (distribution, repo)]
    own = [row for row in own if numbers(version) >= numbers(row.since)]
    return max(own, key=lambda row: numbers(row.since), default=None)
