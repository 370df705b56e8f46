"""Searching the catalogue: what fits, and of what does not the nearest, with what differs in words.

A file differs in aspects: torch, CUDA, C++ ABI and so on. The C++ ABI belongs to one build of torch, so it counts only
where torch and CUDA agree. Nothing here changes a name: a file that differs is another file, not this one renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import Literal

import msgspec

from attn_doctor.knowledge.attention import Demands
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import major, major_minor, numbers, public
from attn_doctor.wheels.catalogue import (
    Alike,
    Single,
    Trust,
    Wheel,
    builds,
    cuda_version,
    is_split,
    package_row,
    version_key,
    whole,
)
from attn_doctor.wheels.resolve import (
    Key,
    at_least_as_good,
    best_first,
    fits_abi,
    fits_cuda,
    fits_gpus,
    fits_libc,
    fits_python,
    fits_system,
    fits_torch_version,
    is_compiled,
    of_series,
    torch_abi,
)

Aspect = Literal[
    "version", "source", "trust", "pre_release", "torch", "cuda", "abi", "python", "libc", "gpu", "platform"
]
# what is easily changed first: the call, then the environment, then the machine
ASPECTS: tuple[Aspect, ...] = (
    *("version", "source", "trust", "pre_release"),
    *("torch", "cuda", "abi", "python", "libc", "gpu", "platform"),
)  # fmt: skip
EVERY: frozenset[Aspect] = frozenset(ASPECTS)
PLACE = 1000  # no release has a number as large
OF_COMPILED = ("torch", "cuda", "abi")
COARSE = ("torch", "cuda", "platform")  # what a build's torch, CUDA and platform decide alone


class Difference(msgspec.Struct, frozen=True):
    """One thing in which a file is not what was looked for."""

    what: Aspect
    text: str


class Miss(msgspec.Struct, frozen=True):
    """A published file that does not fit, and everything that keeps it from fitting."""

    wheel: Wheel
    differs: tuple[Difference, ...]


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. Of `key` only the aspects in `compared` count; None elsewhere means any."""

    package: str
    key: Key
    series: str = "2"
    compared: frozenset[Aspect] = EVERY
    asked: frozenset[Aspect] = frozenset()
    """Aspects that were asked for, as opposed to found on a machine."""
    version: str | None = None
    sources: tuple[str, ...] = ()
    said_at: str | None = None
    """Where the policy allows these sources and no others; None where the call asks for them."""
    trust: Trust = "community"
    pre: bool = True
    demands: Demands | None = None
    """Of the backend that the package brings: the GPUs its code serves."""


def search(filters: Filters) -> tuple[Wheel, ...]:
    """The files that fit, best first; pre-releases after everything else."""
    return whole(partial(_search, filters))


def _search(filters: Filters) -> tuple[Wheel, ...]:
    differ = _Judge(filters)
    builds = (build for build in differ.builds(every=False) if differ.least(build) == 0)
    files = (wheel for build in builds for wheel in build.files() if not any(differ.aspects(wheel)))
    return tuple(sorted(best_first(files, filters.key), key=is_pre_release))


def misses(package: str, key: Key, series: str = "2") -> tuple[Miss, ...]:
    """The nearest files of a package that do not load on a machine: see `nearest`."""
    return nearest(Filters(package=package, key=key, series=series))


def nearest(filters: Filters, enough: int | None = None) -> tuple[Miss, ...]:
    """The files that differ in the fewest aspects, best first: one for each way to differ.

    The first of every kind of difference comes before the second of any. `enough`: how many will be looked at.
    """
    return whole(partial(_nearest, filters, enough))[:enough]


def _nearest(filters: Filters, enough: int | None) -> tuple[Miss, ...]:
    differ = _Judge(filters)
    fewest = len(ASPECTS)
    best: dict[tuple[Difference, ...], Wheel] = {}
    torch = None
    by_distance = enough is not None and differ.minor is not None and is_split(filters.package)
    for build in differ.builds(every=True):
        if by_distance and (minor := major_minor(build.torch or "")) != torch:
            # the next torch is further away: files that differ in torch alone come no nearer, and others not at all
            torch = minor
            if sum([one.what for one in differs] == ["torch"] for differs in best) >= (enough or 0):
                break
        if differ.least(build) > fewest:
            continue
        shared = differ.shared(build)
        by_python = differ.by_python(build)
        least = len(shared) + min(difference is not None for difference in by_python.values())
        if not 0 < least <= fewest:
            continue
        if least < fewest:
            fewest = least
            best.clear()
        for differs, tags in _ways(shared, by_python, fewest):
            if (had := best.get(differs)) is None or at_least_as_good(build.one(), had):
                files = [wheel for wheel in build.files() if f"{wheel.python_tag}-{wheel.abi_tag}" in tags]
                best[differs] = best_first([*files, *([had] if had else [])], filters.key)[0]
    found_misses = [Miss(wheel, differs) for differs, wheel in best.items()]
    found_misses.sort(key=lambda miss: (_cost(miss), _distance(miss.wheel, filters.key)))
    return tuple(_in_turns(found_misses))


def _ways(
    shared: tuple[Difference, ...], by_python: dict[str, Difference | None], count: int
) -> Iterator[tuple[tuple[Difference, ...], set[str]]]:
    """The ways to differ in so many aspects that the files of one build have, each with its Pythons."""
    ways: dict[tuple[Difference, ...], set[str]] = {}
    for tags, difference in by_python.items():
        if len(shared) + (difference is not None) == count:
            differs = (*shared, difference) if difference else shared
            ways.setdefault(tuple(sorted(differs, key=_place)), set()).add(tags)
    return iter(ways.items())


def _place(one: Difference) -> int:
    return ASPECTS.index(one.what)


def is_pre_release(wheel: Wheel) -> bool:
    """4.0.0b36 and its like."""
    return version_key(wheel.version)[1] < version_key("0")[1]


class _Judge:
    """Compares files with filters. Thousands share a torch, a platform, a Python: each such value is judged once."""

    def __init__(self, filters: Filters) -> None:
        self.filters = filters
        self.compare = tuple((what, *COMPARISONS[what]) for what in ASPECTS if what in filters.compared)
        self.known: dict[tuple[str, Hashable], Difference | None] = {}
        self.leasts: dict[Hashable, int] = {}
        torch = filters.key.torch if "torch" in filters.compared else None
        self.minor = major_minor(public(torch)) if torch else None

    def aspects(self, wheel: Wheel) -> list[Difference | None]:
        """What differs; None for each aspect that agrees."""
        found: list[Difference | None] = []
        elsewhere = False
        for what, reads, compare in self.compare:
            if what in OF_COMPILED and (wheel.platform == "any" or (what == "abi" and elsewhere)):
                continue
            at = (what, reads(wheel))
            if at not in self.known:
                text = compare(wheel, self.filters)
                self.known[at] = None if text is None else Difference(what, text)
            difference = self.known[at]
            elsewhere = elsewhere or (difference is not None and what in OF_COMPILED)
            found.append(difference)
        return found

    def builds(self, every: bool) -> Iterator[Alike | Single]:
        """Those of the torch that is looked for; with `every` the others behind them."""
        for build in builds(self.filters.package, self.minor, every=every):
            if of_series(self.filters.package, build.version, self.filters.series):
                yield build

    def least(self, build: Alike | Single) -> int:
        """In how many aspects its files differ at least, by what thousands of builds share."""
        sign = (build.torch, build.cuda, build.platform, build.pythons, build.requires_python)
        if sign not in self.leasts:
            shared = sum(one.what in COARSE for one in self.shared(build))
            self.leasts[sign] = shared + min(one is not None for one in self.by_python(build).values())
        return self.leasts[sign]

    def shared(self, build: Alike | Single) -> tuple[Difference, ...]:
        """What all files of a build differ in."""
        return tuple(one for one in self.aspects(build.one()) if one and one.what != "python")

    def by_python(self, build: Alike | Single) -> dict[str, Difference | None]:
        """What each file differs in by its Python."""
        if "python" not in self.filters.compared:
            return dict.fromkeys(build.pythons)
        return {tags: self._python(build, tags) for tags in build.pythons}

    def _python(self, build: Alike | Single, tags: str) -> Difference | None:
        at = ("tags", (tags, build.requires_python))
        if at not in self.known:
            python, _, abi = tags.partition("-")
            text = _python(msgspec.structs.replace(build.one(), python_tag=python, abi_tag=abi), self.filters)
            self.known[at] = None if text is None else Difference("python", text)
        return self.known[at]


def _version(wheel: Wheel, filters: Filters) -> str | None:
    wanted = filters.version
    return None if wanted in (None, wheel.version) else f"is {wheel.version}, not {wanted}"


def _source(wheel: Wheel, filters: Filters) -> str | None:
    if not filters.sources or wheel.source in filters.sources:
        return None
    if filters.said_at is not None:
        return f"of {wheel.source}, which {filters.said_at} does not allow"
    return f"of {wheel.source}, not of {' or '.join(filters.sources)}"


def _trust(wheel: Wheel, filters: Filters) -> str | None:
    return "a community build" if filters.trust == "upstream" and wheel.trust != "upstream" else None


def _pre(wheel: Wheel, filters: Filters) -> str | None:
    return "a pre-release" if is_pre_release(wheel) and not filters.pre else None


def _torch(wheel: Wheel, filters: Filters) -> str | None:
    key = filters.key
    if fits_torch_version(wheel, key):
        return None
    floor = wheel.torch is not None and wheel.torch.startswith(">=")
    named = f"torch {wheel.torch.removeprefix('>=')}" if wheel.torch else "a release of torch"
    built = f"for {named}{' and later' if floor else ''}"
    if key.torch is None:
        return f"{built}; no torch is {'asked for' if 'torch' in filters.asked else 'installed'}"
    if not key.torch_release:
        return f"{built}; {key.torch} is no release of PyTorch's own"
    return f"{built}; {key.torch} is {'asked for' if 'torch' in filters.asked else 'installed'}"


def _cuda(wheel: Wheel, filters: Filters) -> str | None:
    key = filters.key
    if key.torch is None or fits_cuda(wheel, key):
        return None  # without a torch it is torch that is missing, not its CUDA
    built = f"for CUDA {major(cuda_version(wheel.cuda) or '')}" if wheel.cuda else "does not say for which CUDA"
    if "cuda" in filters.asked:
        return f"{built}; CUDA {key.torch_cuda} is asked for" if key.torch_cuda else f"{built}; torch has no CUDA"
    return f"{built}; torch is CUDA {key.torch_cuda}" if key.torch_cuda else f"{built}; torch {key.torch} has no CUDA"


def _abi(wheel: Wheel, filters: Filters) -> str | None:
    if fits_abi(wheel, filters.key):
        return None
    lie = ", whatever its name says" if wheel.label_lies else ""
    other = torch_abi(filters.key)
    what = "that of torch is not known" if other is None else f"torch has the {_abi_word(other)} one"
    if "abi" in filters.asked:
        what = f"the {_abi_word(bool(other))} one is asked for"
    return f"{_abi_word(bool(wheel.cxx11abi))} C++ ABI{lie}; {what}"


def _abi_word(new: bool) -> str:
    return "new" if new else "old"


def _python(wheel: Wheel, filters: Filters) -> str | None:
    have = filters.key.python
    if fits_python(wheel, have):
        return None
    where = f"{have} is asked for" if "python" in filters.asked else f"this is Python {have}"
    if wheel.abi_tag == "none":
        return f"needs Python {wheel.requires_python or wheel.python_tag}; {where}"
    named = wheel.python_tag
    if wheel.abi_tag == "abi3":
        named += " and later, not free-threaded" if have.endswith("t") else " and later"
    elif wheel.abi_tag.endswith("t"):
        named = f"{wheel.abi_tag}, free-threaded"
    return f"for {named}; {where}"


def _libc(wheel: Wheel, filters: Filters) -> str | None:
    key = filters.key
    if fits_libc(wheel, key) or key.libc is None:
        return None
    family, _, version = key.libc.partition("-")
    if family == "musl":
        return f"for glibc; this system has musl {version}" if "linux" in wheel.platform else "not for musl"
    return f"needs glibc {wheel.needs_glibc}; this system has {version}"


def _gpu(wheel: Wheel, filters: Filters) -> str | None:
    wanted = filters.key.capabilities
    outside = [on for on in wanted if not _demanded(wheel, filters.demands, on)]
    if outside:
        return f"{wheel.package} {major(wheel.version)}.x is not made for {', '.join(outside)}"
    lacking = [on for on in wanted if not fits_gpus(wheel, (on,))]
    return f"no code for {', '.join(lacking)}" if lacking else None


def _demanded(wheel: Wheel, demands: Demands | None, on: str) -> bool:
    """Whether the backend's code serves that GPU at all, in this series."""
    if demands is None:
        return True
    least = demands.min_capability_of_series.get(str(major(wheel.version))) or demands.min_capability
    most = demands.max_capability_major
    return (least is None or capability(on) >= capability(least)) and (most is None or capability(on)[0] <= most)


def _platform(wheel: Wheel, filters: Filters) -> str | None:
    key = filters.key
    if fits_system(wheel, key):
        return None
    if not is_compiled(wheel):
        return f"only for {' and '.join(package_row(wheel.package).os or ())}"
    os, arch = built_for(wheel)
    return f"for {os} {arch}" if os == key.os else f"for {os}"


def built_for(wheel: Wheel) -> tuple[str, str]:
    """('linux', 'x86_64'), ('windows', 'x86_64')."""
    tag = wheel.platform.rpartition(".")[2]
    arch = "aarch64" if tag.endswith(("aarch64", "arm64")) else "x86_64"
    return ("windows" if tag.startswith("win") else "linux"), arch


# what of a file an aspect depends on, and the comparison
Reads = Callable[[Wheel], Hashable]
Compare = Callable[[Wheel, Filters], str | None]
COMPARISONS: dict[Aspect, tuple[Reads, Compare]] = {
    "version": (lambda wheel: wheel.version, _version),
    "source": (lambda wheel: wheel.source, _source),
    "trust": (lambda wheel: wheel.trust, _trust),
    "pre_release": (lambda wheel: wheel.version, _pre),
    "torch": (lambda wheel: wheel.torch, _torch),
    "cuda": (lambda wheel: wheel.cuda, _cuda),
    "abi": (lambda wheel: (wheel.cxx11abi, wheel.label_lies), _abi),
    "python": (lambda wheel: (wheel.python_tag, wheel.abi_tag, wheel.requires_python), _python),
    "libc": (lambda wheel: (wheel.platform, wheel.needs_glibc), _libc),
    "gpu": (lambda wheel: (wheel.gpu_code, wheel.gpu_limit, wheel.version), _gpu),
    "platform": (lambda wheel: wheel.platform, _platform),
}


def _cost(miss: Miss) -> tuple[int, ...]:
    return tuple(sorted((ASPECTS.index(one.what) for one in miss.differs), reverse=True))


def _distance(wheel: Wheel, key: Key) -> tuple[object, ...]:
    """Newer torches upwards, then older ones downwards; then the nearest CUDA and Python; then the better file."""
    return (
        _torch_distance(wheel.torch, key.torch),
        abs(major(cuda_version(wheel.cuda) or "") - major(key.torch_cuda or "")),
        abs(_python_minor(wheel.python_tag) - (*numbers(key.python), 0, 0)[1]),
        wheel.trust != "upstream",
        [-number for number in version_key(wheel.version)[0]],
        wheel.filename,
    )


def _torch_distance(token: str | None, have: str | None) -> tuple[bool, int]:
    wanted = _as_number(token.removeprefix(">=")) if token else 0
    if have is None:
        return False, -wanted  # without one the newest is the nearest
    return wanted < _as_number(public(have)), abs(wanted - _as_number(public(have)))


def _as_number(version: str) -> int:
    one, two, three = (*numbers(version), 0, 0, 0)[:3]
    return (one * PLACE + two) * PLACE + three


def _python_minor(tag: str) -> int:
    digits = tag.lstrip("cpy")[1:]
    return int(digits or 0)


def _in_turns(ordered: list[Miss]) -> Iterator[Miss]:
    seen: dict[tuple[Aspect, ...], int] = {}
    turns: list[tuple[int, int]] = []
    for place, miss in enumerate(ordered):
        kind = tuple(one.what for one in miss.differs)
        seen[kind] = seen.get(kind, 0) + 1
        turns.append((seen[kind], place))
    return (ordered[place] for _, place in sorted(turns))
