"""A source build with a CUDA toolkit that is put beside everything else, for this build alone."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from attn_doctor.judgement import source_build, wheel_choice
from attn_doctor.knowledge import attention
from attn_doctor.machine.probes.toolkits import Toolkit
from attn_doctor.plan import steps, toolkit
from attn_doctor.plan.plan import Plan
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way
from attn_doctor.plan.ways.source import of_archive, settings_of

SHOWN = 3


def plans(case: Case) -> Iterator[Plan]:
    package, series, machine = case.backend.package, case.backend.series, case.machine
    if package is None or machine.torch is None or machine.torch.cuda is None or machine.compiler is None:
        return
    if not wheel_choice.torch_serves(machine, None) or source_build.beside(
        machine, machine.capabilities, package, series
    ):
        return
    if source_build.refusal(machine, machine.capabilities, package, series) is None:
        return  # the toolkit that is here serves
    row = attention.source_build(package, series)
    version = case.request.asked.version or row.version
    gcc = machine.compiler.version if machine.compiler.family == "gcc" else None
    cuda = toolkit.wanted(machine, machine.torch.cuda, machine.capabilities, gcc, row)
    settings = settings_of(case, row)
    if cuda is None or settings is None or version not in row.archives:
        return
    for way in toolkit.ways(machine, cuda, steps.path(machine, "toolkits", cuda))[:SHOWN]:
        plan = of_archive(case, row, version, settings, Toolkit(way.home, way.cuda, ()), before=way)
        yield replace(plan, possible=way.possible, why=way.why, obstacles=way.obstacles)


WAY = Way("side_by_side", 45, "source", plans)
