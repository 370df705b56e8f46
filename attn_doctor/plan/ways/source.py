"""A source build: without isolation, for the GPUs at hand only, with as many jobs as memory allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import source_build, wheel_choice
from attn_doctor.knowledge import attention
from attn_doctor.knowledge.attention import SourceBuild
from attn_doctor.plan import files, steps
from attn_doctor.plan.plan import Build, Cost, Plan
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way
from attn_doctor.plan.ways import _compile

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.toolkits import Toolkit
    from attn_doctor.plan.toolkit import ToolkitWay

MIB = 1 << 20


def plans(case: Case) -> Iterator[Plan]:
    package, series = case.backend.package, case.backend.series
    machine = case.machine
    if package is None or (package, series) not in source_build.COMPILED or machine.torch is None:
        return
    row = attention.source_build(package, series)
    version = case.request.asked.version or row.version
    if version not in row.archives or not wheel_choice.torch_serves(machine, None):
        return
    refusal = source_build.refusal(machine, machine.capabilities, package, series)
    toolkit = source_build.toolkit(machine)
    if toolkit is None or (settings := settings_of(case, row)) is None:
        return
    yield of_archive(case, row, version, settings, toolkit, refusal)


def settings_of(case: Case, row: SourceBuild) -> source_build.Settings | None:
    """Jobs by what is free now, with the user's own limit; None where not even one compiler fits."""
    machine = case.machine
    if machine.memory is None:
        return None
    archs = len(source_build.architectures(row, machine.capabilities))
    return source_build.settings(row, machine.memory.available_bytes, machine.cores, archs, case.request.max_jobs)


def of_archive(
    case: Case,
    row: SourceBuild,
    version: str,
    settings: source_build.Settings,
    toolkit: Toolkit,
    refusal: str | None = None,
    before: ToolkitWay | None = None,
) -> Plan:
    """Compile that release with that toolkit. `before`: the way that brings it."""
    machine = case.machine
    build = build_of(machine, row, settings, toolkit.root, before.env if before else {})
    return Plan(
        backend=case.backend.name,
        method="source",
        package=row.package,
        version=version,
        title=f"source build with nvcc {toolkit.version}" + (f" ({before.title})" if before else ""),
        possible=refusal is None,
        build=build,
        steps=(
            *steps.keep(machine),
            *steps.pip_first(machine),
            *((*before.steps, before.check) if before else ()),
            *steps.needed(machine, build_needs(machine, row), "install what the build needs"),
            *_compile.steps_of(machine, row, version, build),
            steps.verify(machine, case.backend.name, case.request.needs),
        ),
        changes=files.changes(machine, (row.package, version), beside=(*build_needs(machine, row), *row.run_needs)),
        cost=Cost(
            download_bytes=before.download_bytes if before else None,
            minutes=build.minutes,
            disk_bytes=disk_bytes(row, build) + ((before.disk_bytes or 0) if before else 0),
        ),
        obstacles=(refusal,) if refusal else (),
        warnings=tuple(cautions(case, row, version, build)),
    )


def build_of(
    machine: Machine, row: SourceBuild, settings: source_build.Settings, root: str, more: dict[str, str]
) -> Build:
    """The build's numbers and its variables."""
    archs = source_build.architectures(row, machine.capabilities)
    env = {
        "CUDA_HOME": root,
        "FLASH_ATTENTION_FORCE_BUILD": "TRUE",
        "FLASH_ATTN_CUDA_ARCHS": ";".join(archs),
        "MAX_JOBS": str(settings.max_jobs),
        "NVCC_THREADS": str(settings.nvcc_threads),
        **more,
    }
    prefix = machine.python.prefix if machine.python else ""
    if prefix:  # torch asks PATH for ninja: that of the target is not on it unless the environment is active
        env["PATH"] = f"{prefix}/bin"
    return Build(
        max_jobs=settings.max_jobs,
        nvcc_threads=settings.nvcc_threads,
        cuda_archs=archs,
        env=dict(sorted(env.items())),
        peak_memory_gib=settings.peak_gib,
        minutes=settings.minutes,
        toolkit=root,
    )


def build_needs(machine: Machine, row: SourceBuild) -> tuple[str, ...]:
    """What setup.py imports or calls; a ninja on PATH serves as well as one in the target."""
    return tuple(name for name in row.build_needs if not (name == "ninja" and machine.has_ninja))


def disk_bytes(row: SourceBuild, build: Build) -> int:
    """Objects of every file for every architecture, and once more for the library that they are linked into."""
    sources = sum(unit.files for unit in row.units)
    return int(2 * sources * row.object_mib * len(build.cuda_archs) * MIB)


def cautions(case: Case, row: SourceBuild, version: str, build: Build) -> Iterator[str]:
    """What a user should know before an hour is spent."""
    machine, takes = case.machine, disk_bytes(row, build)
    yield from files.advised(row.package, version)
    if (wanted := machine.environment.get("MAX_JOBS", "")) and wanted != str(build.max_jobs):
        yield f"MAX_JOBS={wanted} of your shell does not count here: {build.max_jobs} is what the memory allows"
    for place in machine.disk:
        if place.free_bytes < takes:
            free = place.free_bytes >> 30
            yield f"{place.path} has {free} GiB free; the build writes about {takes >> 20} MiB"


WAY = Way("source", 40, "source", plans)
