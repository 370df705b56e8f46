"""Modules that set-up scripts import, where the package to install is not called the same or must not be too new."""

import msgspec

from attn_doctor.knowledge.tables import rows


class BuildModule(msgspec.Struct, frozen=True):
    """A module, and what brings it."""

    module: str
    install: str
    source: str


def brings(module: str) -> str:
    """What to install for a module: its own name where the table says nothing else."""
    return next((row.install for row in rows("build_modules", BuildModule) if row.module == module), module)
