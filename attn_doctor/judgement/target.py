"""Whether anything can be installed into the target at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine


class Closed(msgspec.Struct, frozen=True):
    """Why nothing can be installed there, and the finding that says more of it."""

    reason: str
    code: str | None = None


def closed(machine: Machine) -> Closed | None:
    """None where an installer may write."""
    python = machine.python
    if python is None:
        return None
    if python.interpreter_gone:
        return Closed("the environment's interpreter is gone", "AD319")
    if python.externally_managed:
        return Closed("this Python belongs to the system: install into a virtual environment", "AD313")
    if any(place.purpose == "target" and place.read_only for place in machine.disk):
        return Closed(f"{python.prefix} is on a file system that is mounted read-only")
    return None
