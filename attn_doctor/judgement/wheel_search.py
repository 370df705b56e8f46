"""A search of the catalogue of wheels: by a machine, by what the call asks for, or by both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import msgspec

from attn_doctor import __version__
from attn_doctor.errors import UsageError
from attn_doctor.judgement import commands, names, need, torch_choice, wheel_choice
from attn_doctor.judgement.backend import Backend, backends, judge
from attn_doctor.knowledge import attention, torch_builds
from attn_doctor.knowledge.freshness import is_stale
from attn_doctor.knowledge.versions import local, major, major_minor, numbers, public
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import Trust, Wheel
from attn_doctor.wheels.resolve import TWO_SERIES, Key
from attn_doctor.wheels.search import Aspect, Filters, Miss, nearest, search

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

SCHEMA = "attn-doctor/wheels/1"
DEFAULT = "flash_attention_2"
PREFERENCES: frozenset[Aspect] = frozenset({"version", "source", "trust", "pre_release"})
TRUST: tuple[Trust, ...] = ("upstream", "community")
NOTHING = Key("", "", None, "", None, None, True, None, ())  # fmt: skip

_TORCH = r"(?a)\d{1,3}\.\d{1,3}[\w.]{0,40}(\+[\w.]{1,60})?"
_CUDA = r"(?a)(?:cu)?(\d{2})(?:\.?(\d))?"
_PYTHON = r"(?a)(3\.\d{1,2})(?:\.\d{1,3})?(t?)"
_PLATFORM = (
    r"(?:(?P<family>linux|musllinux|manylinux|win|macosx)(?P<old>1|2010|2014)?)"
    r"(?:_(?P<major>\d{1,2})_(?P<minor>\d{1,2}))?_(?P<arch>x86_64|amd64|aarch64|arm64)"
)
_OLD_GLIBC = {"1": "2.5", "2010": "2.12", "2014": "2.17"}  # PEP 600
_SYSTEMS = {"win": "windows", "macosx": "macos"}
_ARCHES = {"amd64": "x86_64", "arm64": "aarch64"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the call says, as written; None where it leaves it to the machine."""

    torch: str | None = None
    cuda: str | None = None
    python: str | None = None
    platform: str | None = None
    abi: str | None = None
    capabilities: tuple[str, ...] = ()
    version: str | None = None
    sources: tuple[str, ...] = ()
    trust: str = "community"
    pre: bool = True


class Query(msgspec.Struct, frozen=True):
    """What was looked for. Only what `compared` names counts; `asked` came from the call, the rest from a machine."""

    compared: tuple[Aspect, ...]
    asked: tuple[Aspect, ...]
    os: str | None
    arch: str | None
    libc: str | None
    python: str | None
    torch: str | None
    torch_cuda: str | None
    cxx11abi: bool | None
    capabilities: tuple[str, ...]
    version: str | None
    sources: tuple[str, ...]
    trust: Trust
    pre_releases: bool


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue has: files that fit, best first, or the nearest that do not and what differs."""

    schema: str = SCHEMA
    version: str = __version__
    as_of: str
    """The day the catalogue was put together."""
    stale: bool
    """So long ago that newer files are likely."""
    package: str | None
    """None for a backend that is part of torch."""
    backend: str | None
    query: Query | None
    found: int
    """How many fit; `fitting` may hold fewer."""
    fitting: tuple[Wheel, ...]
    misses: tuple[Miss, ...]
    notes: tuple[str, ...]
    next_steps: tuple[str, ...]
    """Commands, to be run in this order."""


class Wanted(msgspec.Struct, frozen=True):
    """A package by any of its names. `series`: flash-attn's 1.x and 2.x are two backends of one name."""

    package: str | None
    series: str
    backend: Backend | None


def wanted(name: str | None, version: str | None) -> Wanted:
    """What a backend, an alias or a package of the catalogue stands for. Raises UsageError."""
    given = (name or DEFAULT).lower()
    package = given.replace("_", "-").replace(".", "-")
    if package in catalogue.packages():
        series = "1" if package == TWO_SERIES and version is not None and major(version) == 1 else "2"
        brought = (one for one in backends().values() if (one.package, one.series) == (package, series))
        return Wanted(package, series, next(brought, None))
    try:
        backend = backends()[names.backend(given)]
    except UsageError as error:
        listed = f"Packages: {', '.join(catalogue.packages())}."
        raise UsageError(f"there is no backend or package {name!r}", f"{error.hint} {listed}") from None
    return Wanted(backend.package if backend.package in catalogue.packages() else None, backend.series, backend)


def look_up(
    what: Wanted, asked: Asked, machine: Machine | None, *, today: str, everything: bool = False, limit: int | None = None
) -> Answer:
    """The answer of the catalogue. Without a machine only what is asked for counts."""
    as_of = catalogue.as_of()
    answer = Answer(
        as_of=as_of,
        stale=is_stale("catalogue", as_of, today),
        package=what.package,
        backend=what.backend.name if what.backend else None,
        query=None,
        found=0,
        fitting=(),
        misses=(),
        notes=(),
        next_steps=(),
    )
    if what.package is None:
        return answer
    filters = make_filters(what, asked, machine)
    found = search(filters)
    misses = () if found else nearest(filters)
    here = machine if machine is not None and filters.asked <= PREFERENCES else None
    return msgspec.structs.replace(
        answer,
        query=_query(filters),
        found=len(found),
        fitting=found[:limit],
        misses=misses[:limit],
        notes=tuple(_notes(what, filters, found, here)),
        next_steps=() if everything else tuple(_steps(filters, found, here)),
    )


# from a call and a machine to filters


def make_filters(what: Wanted, asked: Asked, machine: Machine | None) -> Filters:
    """What the machine says, with what is asked for in its place. Raises UsageError for what cannot be read."""
    assert what.package is not None  # noqa: S101 - look_up has asked
    on = machine.nvidia if machine else ()
    key = wheel_choice.key(machine, on[0] if on else None) if machine else NOTHING
    key = msgspec.structs.replace(key, capabilities=machine.capabilities if machine else ())
    stated: set[Aspect] = set()
    open_: set[Aspect] = set() if machine else {"torch", "cuda", "abi", "python", "libc", "gpu", "platform"}
    for aspect, change in _changes(asked, key, machine):
        stated.add(aspect)
        open_.discard(aspect)
        key = msgspec.structs.replace(key, **change)
        open_ |= {"cuda"} if "torch_cuda" in change and change["torch_cuda"] == UNSAID else set()
    key = _completed(key, stated, open_, by_machine=machine is not None)
    if not key.python:
        open_.add("python")
    trust = next((one for one in TRUST if one == asked.trust), None)
    if trust is None:
        raise UsageError(f"--trust {asked.trust}: expected {' or '.join(TRUST)}")
    preferred: dict[Aspect, bool] = {
        "version": asked.version is not None,
        "source": bool(asked.sources),
        "trust": trust == "upstream",
        "pre_release": not asked.pre,
    }
    return Filters(
        package=what.package,
        key=key,
        series=what.series,
        compared=frozenset(_ALL - open_),
        asked=frozenset(stated | {name for name, is_asked in preferred.items() if is_asked}),
        version=_version(asked.version),
        sources=tuple(_source(name, what.package) for name in asked.sources),
        trust=trust,
        pre=asked.pre,
        demands=attention.demands(what.backend.name) if what.backend else None,
    )
