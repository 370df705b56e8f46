"""MAX_JOBS of a build of flash-attn: whether it is set, whether it is a number, whether the memory holds so many."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement import source_build
from attn_doctor.knowledge import attention
from attn_doctor.knowledge.attention import SourceBuild
from attn_doctor.knowledge.versions import digits, major_minor, numbers
from attn_doctor.machine.facts import Known
from attn_doctor.plan.dockerfile.case import Case
from attn_doctor.plan.dockerfile.files import fitting_file
from attn_doctor.plan.dockerfile.finding import Finding

VARIABLE = "MAX_JOBS"
EVERY_CORE = ("$(nproc)", "$(nproc --all)", "`nproc`", "`nproc --all`")
SOME_JOBS = 4  # where the memory is not known


def jobs(case: Case, version: str) -> Iterator[Finding]:
    """What is to be said of MAX_JOBS where the compiler runs."""
    row = attention.source_build("flash-attn", "2")
    value = case.inst.env.get(VARIABLE, "").strip()
    have = _memory_gib(case)
    if have is not None and source_build.settings(row, int(have * source_build.GIB), 1, 1) is None:
        said = (
            f"flash-attn may be compiled here: one compiler process takes up to {row.process_peak_gib:g} GiB, and this "
            f"machine has {have:.1f} GiB in all. Take a published file, or build the image elsewhere."
        )
        yield Finding("too-little-memory", case.line, said, fitting_file(case, row.package, version))
    elif not value:
        said = (
            "flash-attn may be compiled here without MAX_JOBS: a compiler process takes up to "
            f"{row.process_peak_gib:g} GiB, one for each architecture, and the default starts too many for the memory."
        )
        yield Finding("no-max-jobs", case.line, said, _instead(case, row, version))
    elif value in EVERY_CORE:
        yield from _every_core(case, row, version, value)
    elif "$" in value or "`" in value:
        return  # the shell or a build argument decides
    elif not digits(value):
        said = f"MAX_JOBS={value} is no number: torch passes over it, and ninja starts about a job for every core."
        yield Finding("max-jobs-no-number", case.line, said, _instead(case, row, version))
    elif int(value) == 0:
        said = "MAX_JOBS=0 is no limit at all: ninja starts every job at once."
        yield Finding("max-jobs-no-limit", case.line, said, _instead(case, row, version))
    elif too_much := _too_much(case, row, version, int(value)):
        yield Finding("max-jobs-too-many", case.line, f"MAX_JOBS={value} {too_much}", _instead(case, row, version))


def _every_core(case: Case, row: SourceBuild, version: str, value: str) -> Iterator[Finding]:
    cores, memory = _cores(case), _memory_gib(case)
    if cores is None or memory is None:
        said = f"{value} is a job for every core of the machine that builds, whatever its memory."
        fix = _instead(case, row, version)
        yield Finding("max-jobs-too-many", case.line, f"MAX_JOBS={said} {_takes(row)}", fix)
    elif too_much := _too_much(case, row, version, cores):
        said = f"MAX_JOBS={value} is {cores} here and {too_much}"
        yield Finding("max-jobs-too-many", case.line, said, _instead(case, row, version))


def _takes(row: SourceBuild) -> str:
    return f"Each takes up to {row.process_peak_gib:g} GiB for every architecture."


def _too_much(case: Case, row: SourceBuild, version: str, count: int) -> str | None:
    """Against the memory of this machine; None where that is not known, or holds them."""
    have = _memory_gib(case)
    if have is None or major_minor(version) != major_minor(row.version):
        return None
    count = min(count, sum(unit.files for unit in row.units))
    at_once = _compilers(case, row)
    peak = source_build.peak_gib(row, count * at_once)
    if peak + row.reserve_gib <= have:
        return None
    each = f" with {at_once} compilers each" if at_once > 1 else ""
    return f"takes up to {peak:.0f} GiB{each}; this machine has {have:.1f} GiB, and the build may end in Killed."


def _compilers(case: Case, row: SourceBuild) -> int:
    """Those that one job runs at once: one for each architecture, up to NVCC_THREADS."""
    threads = case.inst.env.get("NVCC_THREADS", "")
    allowed = int(threads) if digits(threads) and int(threads) else row.default_threads
    return max(1, min(allowed, len(_architectures(case, row))))


def _architectures(case: Case, row: SourceBuild) -> tuple[str, ...]:
    """Those that are asked for and that this nvcc makes."""
    named = case.inst.env.get("FLASH_ATTN_CUDA_ARCHS", "")
    asked = tuple(arch for arch in named.split(";") if arch) if named and "$" not in named else row.default_archs
    nvcc = case.stage.nvcc
    majors = {arch: major for major, arch in row.archs.items()}
    least = {arch: row.min_nvcc_by_major.get(majors.get(arch, ""), row.min_nvcc) for arch in asked}
    return tuple(arch for arch in asked if nvcc is None or numbers(nvcc) >= numbers(least[arch]))


def _instead(case: Case, row: SourceBuild, version: str) -> tuple[str, ...]:
    """The jobs that this memory and these cores hold, for the GPUs of this machine alone."""
    archs = _narrowed(case, row, version)
    count, threads = SOME_JOBS, 1
    have = _memory_gib(case)
    if have is not None:
        free, cores = int(have * source_build.GIB), _cores(case) or SOME_JOBS
        held = source_build.settings(row, free, cores, len(archs or _architectures(case, row)) or 1)
        count, threads = (held.max_jobs, held.nvcc_threads) if held else (1, 1)
    settings = [f"{VARIABLE}={count}", f"NVCC_THREADS={threads}"]
    narrowed = [f'FLASH_ATTN_CUDA_ARCHS="{";".join(archs)}"'] if archs else []
    if VARIABLE in case.event.command.env:  # ENV would not count beside it
        return (" ".join((*settings, *narrowed)),)
    if VARIABLE in case.stage.exported:
        return (" ".join(("export", *settings, *narrowed)),)
    keyword = "ENV" if case.inst.env.get(VARIABLE) else "ARG"
    return (*(f"{keyword} {one}" for one in settings), *(f"ENV {one}" for one in narrowed))


def _narrowed(case: Case, row: SourceBuild, version: str) -> tuple[str, ...]:
    """What FLASH_ATTN_CUDA_ARCHS should name; nothing where the release does not read it or this nvcc cannot."""
    gpus = case.machine.capabilities
    nvcc = case.stage.nvcc
    if not gpus or version not in row.archives:
        return ()
    if nvcc and numbers(nvcc) < numbers(source_build.least_nvcc(row, gpus)):
        return ()
    return source_build.architectures(row, gpus)


def _memory_gib(case: Case) -> float | None:
    memory = case.machine.memory
    return min(memory.total_bytes, memory.limit_bytes or memory.total_bytes) / source_build.GIB if memory else None


def _cores(case: Case) -> int | None:
    known = isinstance(case.machine.facts.readings.get("cpu"), Known)
    return case.machine.cores if known else None
