"""conda-forge's own build, for an environment whose torch is conda's: the solver checks that it fits."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement import other_sources
from attn_doctor.plan import files, steps
from attn_doctor.plan.plan import Plan, Step
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way

TOOLS = ("mamba", "conda")


def plans(case: Case) -> Iterator[Plan]:
    machine, filters, asked = case.machine, case.filters, case.request.asked
    if filters is None or machine.python is None or asked.sources or asked.trust == "upstream":
        return
    build = other_sources.conda_build(machine, filters.key, filters.package, filters.series)
    tool = next((name for name in TOOLS if name in machine.tools), None)
    if build is None or asked.version not in (None, build.version):
        return
    command = (tool or "conda", "install", "--yes", "--prefix", machine.python.prefix, "--freeze-installed")
    yield Plan(
        backend=case.backend.name,
        method="wheel",
        package=build.package,
        version=build.version,
        title=f"package of conda-forge, for CUDA {build.cuda}",
        possible=tool is not None,
        why=("torch here is conda's own, and conda's solver checks that the two fit",),
        steps=(
            *steps.keep(machine),
            Step(
                id="install",
                title=f"install {build.package} {build.version}",
                kind="install",
                command=(*command, "--channel", "conda-forge", *build.specs),
            ),
            steps.verify(machine, case.backend.name, case.request.needs),
        ),
        changes=files.changes(machine, (build.package, build.version)),
        obstacles=() if tool else ("neither conda nor mamba is on PATH",),
    )


WAY = Way("conda_forge", 8, "wheel", plans)
