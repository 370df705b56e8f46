"""Packages that conda brought and a plan would replace by pip: it can be done, and is not done in silence."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import public
from attn_doctor.plan.plan import Change, Plan

CONDA = "conda"
NAMES = {"torch": "pytorch"}  # as conda-forge calls them, where that is another name


def replaced(machine: Machine, one: Plan) -> Iterator[str]:
    """What conda records of a package outlives its files: a later `conda install` may put them back over pip's."""
    python = machine.python
    moved = [change for change in one.changes if change.before != change.after and _by_conda(machine, change.package)]
    if python is None or python.kind != CONDA or not moved or not one.steps:
        return
    names = ", ".join(change.package for change in moved)
    wanted = " ".join(shlex.quote(_spec(change)) for change in moved if change.after)
    by_conda = f". conda's own way, where it has them: conda install --prefix {shlex.quote(python.prefix)} {wanted}"
    yield (
        f"conda installed {names}: pip takes its files away, conda does not learn of it, and a later conda install may "
        f"put them back{by_conda if wanted else ''}"
    )


def _by_conda(machine: Machine, name: str) -> bool:
    package = machine.packages.get(name)
    return bool(package and package.installer == CONDA)


def _spec(change: Change) -> str:
    """'pytorch=2.9.1'; 'triton' where no version is named."""
    name = NAMES.get(change.package, change.package)
    after = change.after or ""
    return f"{name}={public(after)}" if after[:1].isdigit() else name
