"""What a cause may look at when it explains and mends: the log, what it says of its machine, the machine, and plans."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from attn_doctor.errors import AttnDoctorError
from attn_doctor.explain import said
from attn_doctor.explain.log import Log
from attn_doctor.judgement import need as needs
from attn_doctor.judgement.view import Machine
from attn_doctor.machine import whatif
from attn_doctor.machine.gather import Facts
from attn_doctor.plan import choose
from attn_doctor.plan.plan import Plan
from attn_doctor.plan.request import Request

BACKENDS = {
    "flash-attn": "flash_attention_2",
    "flash-attn-3": "flash_attention_3",
    "flash-attn-4": "flash_attention_4",
    "xformers": "xformers",
    "sageattention": "sage_attention",
}


class Case:
    """One log on one machine. `facts` is asked for when a fix needs them, and not before.

    None of facts: nothing is known of the machine but what the log says.
    """

    def __init__(self, log: Log, facts: Callable[[], Facts | None]) -> None:
        self.log = log
        self._facts = facts

    @cached_property
    def said(self) -> dict[str, str]:
        """What the log says of its machine, by the keys of `--what-if`."""
        return said.facts(self.log)

    @cached_property
    def package(self) -> str | None:
        """The attention package that the log is about: the one that it names most often; None where none is named."""
        counted = {name: self.log.text.count(name) + self.log.text.count(name.replace("-", "_")) for name in BACKENDS}
        best = max(counted, key=lambda name: (counted[name], len(name)))
        return best if counted[best] else None

    @property
    def backend(self) -> str:
        """The backend that the log is about; FlashAttention 2 where none is named."""
        return BACKENDS[self.package or "flash-attn"]

    @cached_property
    def version(self) -> str | None:
        """The release of that package, where the log says it."""
        found = [one.version for one in said.packages(self.log) if one.name == self.package]
        return found[-1] if found else None

    @cached_property
    def windows(self) -> bool:
        """Whether the log comes from Windows."""
        return self.said.get("os") == "windows"

    @cached_property
    def facts(self) -> Facts | None:
        """The facts of the machine, with what the log says put in their place; None where nothing is known."""
        base = self._facts()
        if base is None and "torch" not in self.said:
            return None
        start = base if base is not None and not self._of_another_system(base) else whatif.simulate([])
        found = start
        for key, value in self.said.items():
            if key in ("os", "arch") and start is base:
                continue
            found = _with(found, f"{key}={value}")
        return found

    def _of_another_system(self, base: Facts) -> bool:
        here = Machine(base)
        return self.said.get("os", here.os) != here.os or self.said.get("arch", here.arch) != here.arch

    @cached_property
    def machine(self) -> Machine | None:
        """The machine, as far as it is known."""
        return Machine(self.facts) if self.facts is not None else None

    @cached_property
    def plan(self) -> Plan | None:
        """The planner's way to the backend on that machine; None where too little is known, or there is no way."""
        return self.planned(self.backend)

    def planned(self, backend: str, method: str = "auto") -> Plan | None:
        """The same for another backend, or by one method alone."""
        if self.facts is None:
            return None
        try:
            one = choose.head(self.facts, backend, Request(method=method), needs.parse([]))
        except AttnDoctorError:
            return None
        return one if one and one.steps else None


def _with(facts: Facts, assignment: str) -> Facts:
    """What the log says may be no value that `--what-if` takes: then it is not said."""
    try:
        return whatif.apply(facts, [assignment])
    except (AttnDoctorError, ValueError):
        return facts
