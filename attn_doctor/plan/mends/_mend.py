"""What a mend is: which findings it ends, by which steps, and what is then true."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from typing import Any

import msgspec

from attn_doctor.discovery import discover
from attn_doctor.judgement.report import Finding, Report
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.facts import Known
from attn_doctor.plan.plan import Change, Step

UNREAD_TORCH = "unread torch"  # no finding: rules keep silent about what cannot be read
IMPORT_FAILS = "AD420"
# an import that fails for these is no fault of the package: of the driver, or of torch, which always brings libc10.so
EXCUSES = ("libcuda.so", "libnvidia", "driver", "libc10.so")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One cause, mended. A change whose `after` is no version is judged as if the package were not there."""

    cures: tuple[str, ...]
    title: str
    why: str
    steps: tuple[Step, ...]
    changes: tuple[Change, ...] = ()
    built: dict[str, str] = {}
    """The version to judge by, where it is another than is shown: with its build, or one that meets a demand."""
    removed: tuple[str, ...] = ()
    """Paths that are not there afterwards."""
    stays: tuple[str, ...] = ()
    """Records beside them that count then."""
    readings: Mapping[str, Any] = {}
    """Readings that are then others."""
    cost_bytes: int | None = None
    warnings: tuple[str, ...] = ()
    keeps: tuple[Step, ...] | None = None
    """What keeps aside what this part changes, where that is not the environment: such a part stands alone."""


class Ailing:
    """A machine, and what is wrong with it. `plain`: back to sdpa is asked for, not the best."""

    def __init__(self, machine: Machine, report: Report, plain: bool = False) -> None:
        self.machine = machine
        self.report = report
        self.plain = plain

    @cached_property
    def findings(self) -> dict[str, Finding]:
        return {finding.code: finding for finding in self.report.findings}

    def codes(self, mend: Mend) -> tuple[str, ...]:
        """What of that mend's is wrong here."""
        unread = (UNREAD_TORCH,) if UNREAD_TORCH in mend.codes and self.machine.unknown("torch") else ()
        wrong = (one for one in self.report.findings if mend.answers(one) and not excused(self.machine, one))
        return *unread, *(one.code for one in wrong)


def excused(machine: Machine, finding: Finding) -> bool:
    """Whether it speaks of imports alone that fail for what is not in the environment."""
    if finding.code != IMPORT_FAILS:
        return False
    deep = machine.facts.readings.get("deep")
    imports = deep.value.values() if isinstance(deep, Known) else ()
    return not any(one.error and not any(excuse in one.error for excuse in EXCUSES) for one in imports)


class Mend(msgspec.Struct, frozen=True):
    """One kind of breakage. `rank` is the place in the order: what is the cause of others comes first.

    A finding that is for information alone is nothing broken, unless it stands in `even_info`.
    """

    name: str
    rank: int
    codes: tuple[str, ...]
    parts: Callable[[Ailing], Iterable[Part]]
    even_info: tuple[str, ...] = ()

    def answers(self, finding: Finding) -> bool:
        """Whether that finding is one to mend."""
        return finding.code in self.codes and (finding.severity != "info" or finding.code in self.even_info)


@cache
def mends() -> tuple[Mend, ...]:
    """Every mend of the folder, in order."""
    found: list[Mend] = [module.MEND for module in discover(__package__)]
    return tuple(sorted(found, key=lambda mend: mend.rank))
