"""No pip, and no uv: Python brings its own pip in."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from attn_doctor.machine.facts import Known
from attn_doctor.plan import steps
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Change


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    tools = machine.facts.readings.get("tools")
    first = steps.pip_first(machine)
    if not first or not isinstance(tools, Known):
        return
    yield Part(
        cures=("AD317",),
        title="pip",
        why="the environment has no pip, and uv is not on PATH",
        steps=tuple(replace(step, title=f"{step.title}: nothing can be installed without one") for step in first),
        changes=(Change("pip", None, "newest"),),
        readings={"tools": replace(tools.value, found={**tools.value.found, "pip": "newest"})},
    )


MEND = Mend("pip_missing", 5, ("AD317",), parts, even_info=("AD317",))
