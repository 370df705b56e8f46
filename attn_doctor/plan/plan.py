"""A plan is data: what is done, in which order, what it costs and what puts it back."""

from __future__ import annotations

from typing import Literal

import msgspec

from attn_doctor import __version__
from attn_doctor.wheels.catalogue import Trust

SCHEMA = "attn-doctor/plan/1"
Method = Literal["none", "wheel", "source", "hub", "docker"]
METHODS: tuple[Method, ...] = ("none", "wheel", "source", "hub", "docker")
Kind = Literal["keep", "pin", "fetch", "check", "install", "toolkit", "build", "write", "verify", "run"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One command, run as it stands and without a shell.

    `env` is added to the variables there are; a PATH in it goes in front of the present one.
    """

    id: str
    title: str
    kind: Kind
    command: tuple[str, ...]
    env: dict[str, str] = {}
    undo: str | None = None
    """A line of POSIX shell that puts things back; None where an earlier step's covers it or nothing was changed."""
    needs_root: bool = False
    output: str | None = None
    """The file that takes what the command prints; None: nobody's."""


class WheelFile(msgspec.Struct, frozen=True, kw_only=True):
    """The very file that is installed. `url` is None where it is taken through the package index."""

    filename: str
    url: str | None
    sha256: str | None
    source: str
    trust: Trust
    evidence: str


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """A source build. Memory in GiB at its worst moment; `minutes` is a range, for this machine's cores."""

    max_jobs: int
    nvcc_threads: int
    cuda_archs: tuple[str, ...]
    """As FLASH_ATTN_CUDA_ARCHS takes them: 80, 90, 100, 120."""
    env: dict[str, str]
    peak_memory_gib: float
    minutes: tuple[int, int]
    toolkit: str | None = None
    """The folder of the CUDA toolkit that compiles."""


class Change(msgspec.Struct, frozen=True):
    """A package of the target before and after; None: not there."""

    package: str
    before: str | None
    after: str | None


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan takes. None: not known, and nothing is made up in its place."""

    download_bytes: int | None = None
    minutes: tuple[int, int] | None = None
    disk_bytes: int | None = None


class Words(msgspec.Struct, frozen=True):
    """The same in the words of another tool: lines to paste, and where."""

    tool: str
    where: str
    lines: tuple[str, ...]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What the call asked for besides the backend: a saved plan is made anew from it, and compared."""

    method: str = "auto"
    version: str | None = None
    sources: tuple[str, ...] = ()
    allowed_sources: tuple[str, ...] = ()
    """Of the project's policy, where the call names no source."""
    allowed_by: str | None = None
    """Where the policy says so: pyproject.toml:12."""
    trust: str = "community"
    pre_releases: bool = True
    max_jobs: int | None = None
    needs: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    """Other backends that have to be ready once it is done."""
    fail_on: str | None = None
    ignored: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One way to a backend, with everything that it does. `version` is that of the package."""

    schema: str = SCHEMA
    attn_doctor: str = __version__
    backend: str
    method: Method
    package: str | None = None
    version: str | None = None
    title: str
    possible: bool = True
    """Whether attn-doctor can carry it out by itself here."""
    why: tuple[str, ...] = ()
    wheel: WheelFile | None = None
    build: Build | None = None
    steps: tuple[Step, ...] = ()
    changes: tuple[Change, ...] = ()
    cost: Cost = Cost()
    alternatives: tuple[Plan, ...] = ()
    blocked_by: tuple[str, ...] = ()
    """Codes of findings that stand in the way."""
    obstacles: tuple[str, ...] = ()
    """What stands in the way, as sentences."""
    warnings: tuple[str, ...] = ()
    words: tuple[Words, ...] = ()
    target: str = ""
    """What it is for, in words: torch, Python, system, GPUs."""
    os: str = "linux"
    """Of the machine: how its shell takes a command."""
    folder: str | None = None
    """Where it puts what it fetches and writes; made where it is not there."""
    catalogue: str | None = None
    """The day of the catalogue of files that it was made from."""
    asked: Wish | None = None
    """None in an alternative: it is made anew with the plan that it stands beside."""
    rests_on: str = ""
    """A digest of the facts that decided: where they have changed, the plan is refused."""
