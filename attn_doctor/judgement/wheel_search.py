"""A search of the catalogue of wheels, as `attn-doctor wheels` answers it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from attn_doctor import __version__
from attn_doctor.errors import UsageError
from attn_doctor.judgement import (
    commands,
    names,
    need,
    other_sources,
    source_build,
    torch_choice,
    wheel_choice,
    xformers_beside,
)
from attn_doctor.judgement.allowed import sources_of
from attn_doctor.judgement.backend import Backend, backends
from attn_doctor.judgement.verdict import STATUSES
from attn_doctor.judgement.view import Machine
from attn_doctor.judgement.wheel_query import PREFERENCES, Asked, make_filters
from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.freshness import is_stale
from attn_doctor.knowledge.versions import major
from attn_doctor.machine import whatif
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import Trust, Wheel, version_key
from attn_doctor.wheels.resolve import TWO_SERIES, Key, in_series
from attn_doctor.wheels.search import ASPECTS, Aspect, Filters, Miss, is_pre_release, nearest, search

if TYPE_CHECKING:
    from attn_doctor.knowledge.torch_builds import Build

SCHEMA = "attn-doctor/wheels/1"
DEFAULT = "flash_attention_2"


class Query(msgspec.Struct, frozen=True):
    """What was looked for. Only what `compared` names counts; `asked` came from the call, the rest from a machine."""

    compared: tuple[Aspect, ...]
    asked: tuple[Aspect, ...]
    os: str
    arch: str
    libc: str | None
    python: str
    torch: str | None
    torch_cuda: str | None
    cxx11abi: bool | None
    capabilities: tuple[str, ...]
    version: str | None
    sources: tuple[str, ...]
    trust: Trust
    pre_releases: bool


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue has: files that fit, best first, or the nearest that do not and what differs.

    `package` and `query` are None for a backend that needs no wheel; `stale` says that newer files are likely; `found`
    is how many fit, of which `fitting` may hold only the first; `next_steps` are commands, to be run in this order.
    """

    schema: str = SCHEMA
    version: str = __version__
    as_of: str
    stale: bool
    package: str | None
    backend: str | None
    query: Query | None = None
    found: int = 0
    fitting: tuple[Wheel, ...] = ()
    misses: tuple[Miss, ...] = ()
    notes: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()


class Wanted(msgspec.Struct, frozen=True):
    """What a name stands for. `series`: flash-attn's 1.x and 2.x are two backends of one package."""

    package: str | None
    series: str
    backend: Backend | None


def wanted(name: str | None, version: str | None) -> Wanted:
    """A backend, an alias of one, or a package of the catalogue. Raises UsageError."""
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


def look_up(what: Wanted, asked: Asked, machine: Machine | None, *, today: str, limit: int | None = None) -> Answer:
    """The answer of the catalogue. Without a machine only what is asked for counts."""
    as_of = catalogue.as_of()
    answer = Answer(
        as_of=as_of,
        stale=is_stale("catalogue", as_of, today),
        package=what.package,
        backend=what.backend.name if what.backend else None,
    )
    if what.package is None:
        return answer
    served = demands(what.backend.name) if what.backend else None
    filters = make_filters(what.package, what.series, served, asked, machine)
    found = search(filters)
    if machine and what.package == xformers_beside.TWO:
        found = tuple(xformers_beside.preferred(machine, found))
    misses = () if found else nearest(filters, limit)
    here = machine if filters.asked <= PREFERENCES else None
    helpless = here is not None and _compiled(here) and not wheel_choice.torch_serves(here, None)
    move = _move(filters, here) if here and (not found or helpless) else None
    return msgspec.structs.replace(
        answer,
        query=_query(filters),
        found=len(found),
        fitting=found[:limit],
        misses=misses,
        notes=tuple(_notes(what, filters, found, here, move)),
        next_steps=tuple(_next_steps(_allowed(found, machine), here, move)),
    )


def _query(filters: Filters) -> Query:
    key = filters.key
    return Query(
        compared=tuple(aspect for aspect in ASPECTS if aspect in filters.compared),
        asked=tuple(aspect for aspect in ASPECTS if aspect in filters.asked),
        os=key.os,
        arch=key.arch,
        libc=key.libc,
        python=key.python,
        torch=key.torch,
        torch_cuda=key.torch_cuda,
        cxx11abi=key.cxx11abi,
        capabilities=key.capabilities,
        version=filters.version,
        sources=filters.sources,
        trust=filters.trust,
        pre_releases=filters.pre,
    )


def _compiled(machine: Machine) -> bool:
    """Whether a torch with CUDA is there at all: without one no file depends on it."""
    return machine.torch is not None and machine.torch.cuda is not None


def _move(filters: Filters, machine: Machine) -> tuple[Build, Wheel] | None:
    """The nearest torch for which a file fits."""

    def find(moved: Key) -> tuple[Wheel, ...]:
        found = search(msgspec.structs.replace(filters, key=moved))
        return machine.allowed.of(found) if machine.allowed else found

    return next(wheel_choice.moves(machine, filters.package, filters.series, filters.key, find), None)


def _notes(
    what: Wanted, filters: Filters, found: tuple[Wheel, ...], machine: Machine | None, move: tuple[Build, Wheel] | None
) -> Iterator[str]:
    """What the list of files does not say by itself, as sentences."""
    if filters.version is not None and not found:
        said = unknown_version(filters.package, filters.series, filters.version)
        yield from [said] if said else []
    if found and is_pre_release(found[0]):
        yield f"{found[0].version} is a pre-release: nothing else of {filters.package} fits."
    if machine is None:
        return
    if not found:
        yield from _other_ways(filters, machine, move)
    elif what.backend:
        bare = _without(machine, filters.package)
        obstacles = [
            obstacle for gpu in bare.gpus or (None,) for obstacle in what.backend.obstacles(bare, gpu, need.parse([]))
        ]
        if obstacles:
            furthest = max(obstacles, key=lambda obstacle: STATUSES.index(obstacle.status))
            yield f"It would not run here as things are: {furthest.reason}."
    row = xformers_beside.demanded(machine) if filters.package == xformers_beside.TWO else None
    if row and found:
        yield f"The installed xformers takes flash-attn{row.specifier}; what it takes comes first."
    yield from _about_the_policy(found, machine)
    if filters.version is None and not (found and found[0].trust == "upstream"):
        name = what.backend.name if what.backend else None
        yield from other_sources.notes(machine, filters.key, filters.package, filters.series, name)


def _allowed(found: tuple[Wheel, ...], machine: Machine | None) -> tuple[Wheel, ...]:
    """Those that the policy of the project lets be installed: a search shows them all, and advises no other."""
    return machine.allowed.of(found) if machine and machine.allowed else found


def _about_the_policy(found: tuple[Wheel, ...], machine: Machine) -> Iterator[str]:
    """Where the best file is none that may be installed: which one may, else what to do."""
    allowed = machine.allowed
    if allowed is None or not found or found[0].source in allowed.sources:
        return
    if rest := allowed.of(found):
        yield f"{allowed.said_at} does not allow {found[0].source}; the best that it allows is {rest[0].filename}"
        return
    others = sources_of(found)
    for said in (allowed.refusal(others), allowed.remedy(others)):
        yield f"{said[0].upper()}{said[1:]}."


def _without(machine: Machine, package: str) -> Machine:
    """The machine before the file came: an old version that is installed says nothing of the new one."""
    if package not in machine.packages:
        return machine
    return machine.turned_into(whatif.apply(machine.facts, [f"pkg.{package}=none"]))


def unknown_version(package: str, series: str, version: str) -> str | None:
    """Where the catalogue has no file of that version: what the newest is, of upstream's own where there is one."""
    listed = [wheel for wheel in catalogue.wheels(package) if in_series(wheel, series)]
    if not listed or any(wheel.version == version for wheel in listed):
        return None
    own = [wheel.version for wheel in listed if wheel.trust == "upstream"]
    newest = max(own or [wheel.version for wheel in listed], key=version_key)
    return f"The catalogue has no file of {package} {version}; the newest it has is {newest}."


def _other_ways(filters: Filters, machine: Machine, move: tuple[Build, Wheel] | None) -> Iterator[str]:
    if move:
        yield f"With {torch_choice.label(move[0])} one fits: {move[1].filename}"
    if machine.torch is None or filters.package != TWO_SERIES:
        return
    refusal = source_build.refusal(machine, machine.capabilities, filters.package, filters.series)
    yield f"A source build would not succeed here: {refusal}." if refusal else "It can be compiled here, from source."


def _next_steps(found: tuple[Wheel, ...], machine: Machine | None, move: tuple[Build, Wheel] | None) -> Iterator[str]:
    if machine is None:
        return
    if move:
        yield commands.install_torch(machine, move[0])
        yield commands.install_wheel(machine, move[1], move[0])
    elif found:
        yield commands.install_wheel(machine, found[0])
