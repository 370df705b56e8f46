"""What the installed packages say to another torch: which move along, and which hold it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from attn_doctor.knowledge.requirements import requirement, satisfies
from attn_doctor.knowledge.tables import rows
from attn_doctor.knowledge.versions import major, major_minor, numbers, public
from attn_doctor.machine.probes.packages import Bond, WatchedPackage

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.knowledge.torch_builds import Build


@cache
def bonds() -> dict[str, Bond]:
    """How each package of the table is bound to its torch, by name."""
    return {row.name: row.bond for row in rows("packages_watched", WatchedPackage) if row.bond}


@cache
def moving() -> frozenset[str]:
    """What comes anew with another torch: its companions, and packages of which another file is installed."""
    return frozenset(name for name, bond in bonds().items() if bond == "moves")


def holding(machine: Machine, build: Build) -> Iterator[str]:
    """Why installed packages do not take that torch, one sentence for each that does not."""
    torch = machine.torch
    for name, package in machine.packages.items():
        bond = bonds().get(name)
        if bond == "moves":
            continue
        demanded = _demanded(machine, name)
        if demanded and not satisfies(build.torch, demanded):
            yield f"{name} {package.version} demands torch{demanded}"
        elif bond and torch and not (demanded and bond == "pins") and _breaks(bond, torch.version, torch.cuda, build):
            yield f"{name} {package.version} {_said(bond)} torch {_named(torch.version, torch.cuda)}"


def _demanded(machine: Machine, name: str) -> str | None:
    """What the package's metadata or the table demands of torch."""
    package = machine.packages[name]
    row = requirement(name, package.version, "torch")
    return (package.requires or {}).get("torch") or (row.specifier if row else None)


def _breaks(bond: Bond, have: str, cuda: str | None, build: Build) -> bool:
    """Whether a package so bound to the installed torch would not work with that build."""
    ours, theirs = numbers(public(have)), numbers(build.torch)
    if bond == "free":
        return False
    if bond == "not_older":
        return theirs < ours
    # one compiled beside a CPU torch finds in a CUDA build of the same release everything that it needs
    return ours[:2] != theirs[:2] or bool(cuda and build.cuda and major(cuda) != major(build.cuda))


def _said(bond: Bond) -> str:
    return {"compiled": "is compiled for", "pins": "works with no other than", "not_older": "needs at least"}[bond]


def _named(version: str, cuda: str | None) -> str:
    return major_minor(public(version)) + (f" and CUDA {major(cuda)}" if cuda else "")
