"""What helps without FlashAttention: the calls by torch release, and the GPUs from which on they gain something."""

from collections.abc import Mapping

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import numbers, public

ALLOCATOR = ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")


class Api(msgspec.Struct, frozen=True):
    """How something is said, from one torch release on; newest first."""

    name: str
    since: str
    value: str
    source: str


class Floor(msgspec.Struct, frozen=True):
    """The lowest compute capability on which it gains something."""

    name: str
    capability: str
    source: str


class CompilePython(msgspec.Struct, frozen=True):
    """The first torch whose torch.compile runs on a Python."""

    python: str
    torch: str
    source: str


class Without(msgspec.Struct, frozen=True):
    """Where expandable segments do not work: an operating system or a compute capability."""

    where: str
    source: str


class Table(msgspec.Struct, frozen=True):
    """hints.json."""

    as_of: str
    apis: tuple[Api, ...]
    floors: tuple[Floor, ...]
    compile_pythons: tuple[CompilePython, ...]
    no_expandable_segments: tuple[Without, ...]


def table() -> Table:
    """The whole table."""
    found: Table = load("hints", Table)
    return found


def api(name: str, torch: str) -> Api | None:
    """The call for that torch; None where it has none."""
    have = numbers(public(torch))
    return next((row for row in table().apis if row.name == name and have >= numbers(row.since)), None)


def allocator_variable(name: str, environment: Mapping[str, str]) -> str:
    """What to set for the allocator, where that torch documents `name`: an older one that is set is read before it.

    Seen with torch 2.13.0: of CUDA's, HIP's and the common name the first that is set is read, and no other.
    """
    return next((one for one in ALLOCATOR if environment.get(one)), name)


def floor(name: str) -> str:
    """The lowest compute capability for it."""
    return next(row.capability for row in table().floors if row.name == name)


def compiles_on(python: str, torch: str) -> bool:
    """Whether torch.compile of that torch runs on that Python; False where it is not established."""
    minor = numbers(python)[:2]
    row = next((row for row in table().compile_pythons if numbers(row.python) == minor), None)
    return row is not None and numbers(public(torch)) >= numbers(row.torch)


def has_expandable_segments(where: str) -> bool:
    """Whether nothing is known against them there."""
    return all(row.where != where for row in table().no_expandable_segments)
