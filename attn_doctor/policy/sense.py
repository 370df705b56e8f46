"""Whether what a policy says can be followed: names that exist, ranges that hold something, no contradiction."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from msgspec import UNSET

from attn_doctor.errors import UsageError
from attn_doctor.judgement import names
from attn_doctor.judgement import need as needs
from attn_doctor.knowledge import gpus as products
from attn_doctor.knowledge.tables import rows
from attn_doctor.machine.probes.packages import WatchedPackage
from attn_doctor.machine.target import normalise
from attn_doctor.policy.keys import Gpu
from attn_doctor.policy.lock import LOCKS, kind
from attn_doctor.policy.places import Path

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from attn_doctor.policy.read import Policy

# a finding that says what `require` asks for cannot be ignored beside it
ALWAYS = {"AD503": "require"}
LONGEST = 64  # name of a product
MACHINE = ("torch", "python", "driver", "cuda")


def check(policy: Policy, today: str, keys: Collection[str] | None = None) -> None:
    """Raises BadPolicy for the first thing that cannot be followed. `keys`: only these count; None: all of them."""
    looks = {
        "target": _target,
        "require": _require,
        "need": _need,
        "ignore": _ignore,
        "versions": _versions,
        "wheel-sources": _wheel_sources,
        "gpus": _gpus,
        "lock": _lock,
    }
    for key, look in looks.items():
        if keys is None or key in keys:
            look(policy, today)


def _target(policy: Policy, _today: str) -> None:
    if UNSET not in (policy.keys.target.venv, policy.keys.target.python):
        policy.source.refuse(("target", "python"), "target names both a venv and a python: give one")


def _require(policy: Policy, _today: str) -> None:
    for number, name in enumerate(policy.keys.require):
        with _Placed(policy, ("require", number), "require"):
            names.backend(name)


def _need(policy: Policy, _today: str) -> None:
    given: dict[str, str] = {}
    for number, item in enumerate(policy.keys.need):
        path: Path = ("need", number)
        with _Placed(policy, path, "need"):
            needs.parse([item])
        key = item.partition("=")[0]
        if given.setdefault(key, item) != item:
            policy.source.refuse(path, f"need: {item!r} contradicts {given[key]!r}")


def _ignore(policy: Policy, today: str) -> None:
    from attn_doctor.judgement.rule import rules

    seen: set[str] = set()
    for number, one in enumerate(policy.keys.ignore):
        path: Path = ("ignore", number)
        if one.code not in rules():
            policy.source.refuse(
                (*path, "code"), f"ignore: there is no finding {one.code}", "List them: attn-doctor rule --list"
            )
        if one.code in ALWAYS:
            policy.source.refuse(
                (*path, "code"), f"ignore: {one.code} cannot be ignored", f"Take the backend off {ALWAYS[one.code]!r}."
            )
        if one.code in seen:
            policy.source.refuse((*path, "code"), f"ignore: {one.code} stands there twice")
        seen.add(one.code)
        if one.until is not UNSET:
            _not_over(policy, (*path, "until"), one.code, one.until, one.reason, today)


def _not_over(policy: Policy, path: Path, code: str, until: str, reason: str, today: str) -> None:
    from datetime import date

    try:
        date.fromisoformat(until)
    except ValueError:
        policy.source.refuse(path, f"ignore.until: there is no day {until}")
    if until < today:
        policy.source.refuse(
            path,
            f"{code} was ignored until {until}, and that is over; the reason was: {reason}",
            "Mend it and take the entry away, or give it a new day.",
        )


def _versions(policy: Policy, _today: str) -> None:
    known = {*MACHINE, *(row.name for row in rows("packages_watched", WatchedPackage))}
    seen: dict[str, str] = {}
    for name, text in policy.keys.versions.items():
        path: Path = ("versions", name)
        bare = normalise(name)
        if bare not in known:
            near = get_close_matches(bare, known, n=1)
            policy.source.refuse(
                path,
                f"versions: nothing is known of {name!r}{f'; did you mean {near[0]!r}?' if near else ''}",
                "It speaks of torch, python, driver, cuda and of the packages that attn-doctor reads.",
            )
        if seen.setdefault(bare, name) != name:
            policy.source.refuse(path, f"versions: {name!r} and {seen[bare]!r} are one package")
        allowed = specifier(text)
        if allowed is None:
            policy.source.refuse(
                path, f"versions.{name}: {text!r} is no range of versions; expected one such as >=2.6,<2.15"
            )
        if empty := _emptied(allowed):
            policy.source.refuse(path, f"versions.{name}: no version is {empty}")


def specifier(text: str) -> SpecifierSet | None:
    """None for a text that is none."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        allowed = SpecifierSet(text)
        for one in allowed:
            if one.operator == "===":  # it takes any text, and nothing here is versioned by words
                Version(one.version)
    except (InvalidSpecifier, InvalidVersion):
        return None
    return allowed


def floor(text: str) -> str | None:
    """The lowest version that a range allows, where it says one."""
    from packaging.version import Version

    lowest = [
        one.version.removesuffix(".*") for one in specifier(text) or () if one.operator in (">=", "==", "~=", "===")
    ]
    return max(lowest, key=Version, default=None)


def _emptied(allowed: SpecifierSet) -> str | None:
    """Two bounds that leave nothing between them, in words; None where they may leave something."""
    from packaging.version import Version

    least = [one for one in allowed if one.operator in (">=", ">")]
    most = [one for one in allowed if one.operator in ("<=", "<")]
    exact = [one for one in allowed if one.operator == "==" and not one.version.endswith(".*")]
    for low in least:
        for high in most:
            below, above = Version(low.version), Version(high.version)
            if below > above or (below == above and (low.operator, high.operator) != (">=", "<=")):
                return f"both {low} and {high}"
    for one in exact:
        if not allowed.contains(one.version, prereleases=True):
            return f"{one} and all of {allowed}"
    return None


def _wheel_sources(policy: Policy, _today: str) -> None:
    from fnmatch import fnmatch

    from attn_doctor.wheels.embedded import sources

    known = sources().sources
    for number, name in enumerate(policy.keys.wheel_sources):
        if not any(fnmatch(name, pattern) for pattern in known):
            near = get_close_matches(name, known, n=1)
            policy.source.refuse(
                ("wheel-sources", number),
                f"wheel-sources: there is no source {name!r}{f'; did you mean {near[0]!r}?' if near else ''}",
                f"Sources: {', '.join(known)}.",
            )


def _gpus(policy: Policy, _today: str) -> None:
    from attn_doctor.machine import whatif

    for number, one in enumerate(policy.keys.gpus):
        path: Path = ("gpus", number)
        if products.find(name_of(one)) is None and (near := _near(name_of(one))):
            policy.source.refuse(
                path, f"gpus: there is no product {name_of(one)!r} in the table; did you mean {' or '.join(near)}?"
            )
        with _Placed(policy, path, "gpus"):
            machine = whatif.simulate([*assignments(one)])
        if not getattr(machine.readings["gpus"], "value", None):
            policy.source.refuse(path, f"gpus: {name_of(one)!r} is no GPU")


def _near(name: str) -> list[str]:
    """What a name of no known vendor begins with, the longest first, else what looks like it: at most two."""
    if products.vendor_of(name) is not None or name.lower() == "none":
        return []
    begun = (products.find(name[:length]) for length in range(min(len(name), LONGEST) - 1, 1, -1))
    return list(dict.fromkeys([one.name for one in begun if one] or products.nearest(name)))[:2]


def name_of(one: str | Gpu) -> str:
    """The product."""
    return one if isinstance(one, str) else one.name


def is_nvidia(one: str | Gpu) -> bool:
    """Whether it has a driver of NVIDIA's."""
    product = products.find(name_of(one))
    return (product.vendor if product else products.vendor_of(name_of(one))) == "nvidia"


def assignments(one: str | Gpu) -> Iterator[str]:
    """The keys of `simulate` that speak of it."""
    yield f"gpu={name_of(one)}"
    if isinstance(one, Gpu):
        given = {"gpu_count": one.count, "vram": one.vram, "driver": one.driver}
        yield from (f"{key}={value}" for key, value in given.items() if value is not UNSET)


def _lock(policy: Policy, _today: str) -> None:
    lock = policy.keys.lock
    if lock is UNSET:
        return
    path: Path = ("lock",)
    if not os.path.isfile(os.path.join(policy.source.folder, lock)):
        policy.source.refuse(path, f"lock: there is no file {lock}")
    if kind(lock) is None:
        policy.source.refuse(path, f"lock: {lock} is of no kind that is read here", f"It reads {', '.join(LOCKS)}.")
    if not policy.keys.gpus:
        policy.source.refuse(
            path,
            "lock is read for the GPUs of `gpus`, and there are none",
            "List the GPUs that the project must run on.",
        )


class _Placed:
    """What the command line would refuse is refused with the place in the file."""

    def __init__(self, policy: Policy, path: Path, label: str) -> None:
        self.policy = policy
        self.path = path
        self.label = label

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, UsageError):
            self.policy.source.refuse(self.path, f"{self.label}: {error.message}", error.hint)
