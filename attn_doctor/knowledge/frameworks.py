"""Which attention backends each framework has, what it calls them, and how it is told; by its version."""

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import numbers


class Bounds(msgspec.Struct, frozen=True, array_like=True):
    """The GPUs that a framework's own kernels run on; without bounds they run anywhere."""

    least: str | None  # compute capability
    last_major: int | None


class Framework(msgspec.Struct, frozen=True):
    """What a framework accepts from release `since` on. `words` maps backends to the names it has for them."""

    distribution: str
    since: str
    accepted: tuple[str, ...]
    source: str
    words: dict[str, str] = {}
    setting: str | None = None  # how a word is given: attn_implementation="{word}"; None: there is nothing to set
    variable: str | None = None  # an environment variable of its own that takes the word
    default: str | None = None  # what it selects by itself
    verify: str | None = None  # where the resolved choice can be read
    note: str | None = None
    own: dict[str, Bounds] = {}  # kernels that it brings itself
    chain: tuple[str, ...] = ()  # what to try in turn where no chain is given
    wants: dict[str, str] = {}  # the versions it accepts of packages that bring a backend, as specifiers


class Claim(msgspec.Struct, frozen=True):
    """The class attributes by which a model of transformers says that it takes a backend, the one that counts first."""

    backend: str
    flags: tuple[str, ...]
    source: str
    either_below: str | None = None  # below this release any of them is enough


class _Table(msgspec.Struct, frozen=True):
    as_of: str
    notes: tuple[str, ...]
    rows: tuple[Framework, ...]
    claims: tuple[Claim, ...]


def names() -> tuple[str, ...]:
    """Every framework of the table, as distributions are called, sorted."""
    return tuple(sorted({row.distribution for row in _table().rows}))


def as_of() -> str:
    """The day the table was checked."""
    return _table().as_of


def framework(distribution: str, version: str) -> Framework | None:
    """The row for an installed framework; None for one that is not in the table or older than it."""
    return next((row for row in releases(distribution) if numbers(version) >= numbers(row.since)), None)


def releases(distribution: str) -> tuple[Framework, ...]:
    """Every row of a framework, the newest release first."""
    return tuple(row for row in _table().rows if row.distribution == distribution)


def claim(backend: str) -> Claim | None:
    """How a model of transformers says that it takes that backend; None where no model says anything of it."""
    return next((row for row in _table().claims if row.backend == backend), None)


def _table() -> _Table:
    found: _Table = load("frameworks", _Table)
    return found
