"""What a probe is, and how the probes of this folder are found."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from attn_doctor.machine.facts import AnyReading
    from attn_doctor.machine.host import Host
    from attn_doctor.machine.target import Target

# how long a child process of a probe may take before its answer counts as Unknown
TIMEOUT_S = 10.0
# and the variable that sets another limit, in seconds
TIMEOUT_VARIABLE = "ATTN_DOCTOR_PROBE_TIMEOUT"


def timeout_s(host: Host, otherwise: float = TIMEOUT_S) -> float:
    """How long a child of a probe may take, in seconds."""
    try:
        return max(0.1, min(3600.0, float(host.env(TIMEOUT_VARIABLE) or otherwise)))
    except ValueError:
        return otherwise


class Edit(msgspec.Struct):
    """A machine being imagined: the readings so far, and the keys already given."""

    readings: dict[str, Any]
    given: list[str]
    simulated: bool = False
    ahead: list[str] = msgspec.field(default_factory=list)  # keys that come after this one


class WhatIf(msgspec.Struct, frozen=True):
    """One key of `--what-if` and `simulate`. `apply` raises ValueError with what was expected."""

    key: str
    expected: str
    apply: Callable[[Edit, str, str], None]
    rank: int = 1


class Probe(msgspec.Struct, frozen=True):
    """One question to the machine: its name in the facts, the type of its answer, and how it is read.

    `begin` starts a slow child process before any probe is read. `plain` is the answer of the plain machine that
    `simulate` starts from; None: it has no such thing.
    """

    name: str
    type: Any
    read: Callable[[Host, Target], AnyReading]
    begin: Callable[[Host, Target], None] | None = None
    what_if: tuple[WhatIf, ...] = ()
    plain: Any = None


@cache
def probes() -> dict[str, Probe]:
    """Every probe of the folder, by name, sorted."""
    from attn_doctor.discovery import discover

    found: list[Probe] = [module.PROBE for module in discover(__package__ + ".probes")]
    return {probe.name: probe for probe in sorted(found, key=lambda probe: probe.name)}
