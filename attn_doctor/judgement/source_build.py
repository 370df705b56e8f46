"""A source build: whether one can succeed here, with how many jobs, how much memory it takes and how long.

Memory goes by device compilers, not by jobs: one for each architecture, as many at once in a job as NVCC_THREADS says.
The figures are rows of `knowledge/source_builds.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.knowledge import attention, build_hazards, cuda
from attn_doctor.knowledge.attention import SourceBuild
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import major, numbers, public

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.toolkits import Toolkit

GIB = 1 << 30
COMPILED = frozenset({("flash-attn", "2")})


class Settings(msgspec.Struct, frozen=True):
    """How a build is run; `peak_gib` at its worst moment, `minutes` from the fastest core to the slowest."""

    max_jobs: int
    nvcc_threads: int
    peak_gib: float
    minutes: tuple[int, int]


def architectures(row: SourceBuild, capabilities: Sequence[str]) -> tuple[str, ...]:
    """What FLASH_ATTN_CUDA_ARCHS must name for these GPUs: '80' serves 8.6 and 8.9 as well."""
    majors = sorted({capability(one)[0] for one in capabilities})
    return tuple(row.archs[str(one)] for one in majors if str(one) in row.archs)


def settings(row: SourceBuild, free_bytes: int, cores: int, archs: int, at_most: int | None = None) -> Settings | None:
    """The jobs that fit into this memory and these cores; None where not even one compiler does.

    `archs` counts them; `at_most` is the user's own limit on jobs.
    """
    usable_gib = free_bytes / GIB - max(row.reserve_gib, row.reserve_share * free_bytes / GIB)
    files = sum(unit.files for unit in row.units)
    best: tuple[int, int] | None = None
    for threads in range(1, max(1, min(archs, row.default_threads)) + 1):
        most = min(max(1, cores) // threads, files, at_most or files)
        jobs = next((jobs for jobs in range(most, 0, -1) if peak_gib(row, jobs * threads) <= usable_gib), 0)
        # the same number of compilers in more jobs costs the same, and its steps are finer
        if jobs and (best is None or jobs * threads > best[0] * best[1]):
            best = (jobs, threads)
    if best is None:
        return None
    jobs, threads = best
    return Settings(jobs, threads, round(peak_gib(row, jobs * threads), 1), minutes(row, jobs, threads, archs))


def peak_gib(row: SourceBuild, compilers: int) -> float:
    """What so many device compilers take together at the worst moment."""
    found = compilers * row.process_peak_gib
    for crowd in row.crowd:
        if compilers >= crowd.compilers:
            found = crowd.base_gib + (compilers - crowd.base) * crowd.gib
    return found


def minutes(row: SourceBuild, jobs: int, threads: int, archs: int) -> tuple[int, int]:
    """How long it takes, from a fast core and good luck to a slow one and bad."""
    work = sum(unit.files * (unit.cpu_s * archs - row.shared_s * (archs - 1)) for unit in row.units)
    tail = row.tail_s * (archs if threads == 1 else -(-archs // threads))
    alone = (work / (jobs * threads) + tail) / 60
    slow, fast = row.speed
    return max(1, int(alone * (1 - row.spread) / fast)), max(1, -int(-alone * (1 + row.spread) // slow))


def upstream_jobs(row: SourceBuild, free_bytes: int, cores: int) -> int:
    """What the package's own setup.py takes where MAX_JOBS is unset."""
    return max(1, min(cores // 2, int(free_bytes / GIB / row.upstream_gib_per_job)))


def refusal(machine: Machine, capabilities: Sequence[str], package: str, series: str) -> str | None:
    """Why compiling the package here would fail; None where it can succeed."""
    if (package, series) not in COMPILED:
        return "attn-doctor knows no source build of it"
    row = attention.source_build(package, series)
    return (
        _torch_refusal(machine, row)
        or _gpu_refusal(row, capabilities)
        or _toolkit_refusal(machine, row, capabilities)
        or _host_refusal(machine)
        or memory_refusal(machine, row)
    )


def beside(machine: Machine, capabilities: Sequence[str], package: str, series: str) -> str | None:
    """The same, as if the right toolkit stood beside the others: what no toolkit would mend."""
    if (package, series) not in COMPILED:
        return "attn-doctor knows no source build of it"
    row = attention.source_build(package, series)
    return (
        _torch_refusal(machine, row)
        or _gpu_refusal(row, capabilities)
        or _headers_refusal(machine)
        or _old_gcc_refusal(machine)
        or memory_refusal(machine, row)
    )


def _torch_refusal(machine: Machine, row: SourceBuild) -> str | None:
    torch = machine.torch
    if torch is None or torch.cuda is None:
        return "torch has no CUDA"
    if machine.os == "windows":
        return "on Windows it needs a Visual C++ set-up that attn-doctor does not make"
    if numbers(public(torch.version))[:2] >= numbers(row.max_torch_excluded):
        return f"{row.package} {row.version} does not compile against torch {torch.version}: {row.why_max}"
    return None


def _gpu_refusal(row: SourceBuild, capabilities: Sequence[str]) -> str | None:
    left_out = [on for on in capabilities if capability(on)[0] not in row.majors]
    if left_out:
        return f"{row.package} {row.version} compiles nothing for compute capability {', '.join(left_out)}"
    return None


def best_toolkit(found: Sequence[Toolkit], runtime: str | None) -> Toolkit | None:
    """The one that a build should take: of torch's CUDA major, whole, the same minor first, then the newest."""
    fit = [
        one
        for one in found
        if one.version and runtime and one.headers and one.runtime and major(one.version) == major(runtime)
    ]
    return max(fit, key=lambda one: (one.version == runtime, numbers(one.version or "")), default=None)


def toolkit(machine: Machine) -> Toolkit | None:
    """The installed toolkit that a build here should take."""
    runtime = machine.torch.cuda if machine.torch else None
    return best_toolkit(machine.toolkits.found, runtime) if machine.toolkits else None


def least_nvcc(row: SourceBuild, capabilities: Sequence[str]) -> str:
    """The first nvcc that compiles for all of them."""
    wanted = (row.min_nvcc_by_major.get(str(capability(on)[0]), row.min_nvcc) for on in capabilities)
    return max([row.min_nvcc, *wanted], key=numbers)


def _toolkit_refusal(machine: Machine, row: SourceBuild, capabilities: Sequence[str]) -> str | None:
    runtime = machine.torch.cuda if machine.torch else None
    if why := machine.unknown("toolkits"):
        return f"the CUDA toolkits could not be read: {why}"
    if machine.toolkits is None or runtime is None:
        return "there is no nvcc"
    of_major = [one for one in machine.toolkits.found if one.version and major(one.version) == major(runtime)]
    if not of_major:
        versions = [one.version for one in machine.toolkits.found if one.version]
        return f"nvcc is {', '.join(versions)}, torch is CUDA {runtime}: another major"
    chosen = toolkit(machine)
    if chosen is None or chosen.version is None:
        missing = "headers" if not of_major[0].headers else "libcudart"
        return f"the toolkit in {of_major[0].root} has nvcc and lacks its {missing}"
    least = least_nvcc(row, capabilities)
    if numbers(chosen.version) < numbers(least):
        on = ", ".join(capabilities)
        return f"nvcc {chosen.version} is older than {least}, the first that compiles for compute capability {on}"
    if chosen.bare_math:
        return f"the headers of nvcc {chosen.version} declare {chosen.bare_math[0]}() otherwise than this glibc does"
    return None


def _host_refusal(machine: Machine) -> str | None:
    if (said := _headers_refusal(machine)) is not None:
        return said
    if machine.compiler is None:
        return None if machine.unknown("compiler") else "there is no C++ compiler"
    chosen, have = toolkit(machine), machine.compiler.version
    newest = cuda.max_gcc(chosen.version) if chosen and chosen.version else None
    if machine.compiler.family == "gcc" and newest and chosen and major(have) > newest:
        return f"gcc {have} is newer than {newest}, the newest that nvcc {chosen.version} accepts"
    return _old_gcc_refusal(machine)


def _headers_refusal(machine: Machine) -> str | None:
    if machine.python is not None and machine.python.headers is False:
        return f"Python.h of Python {machine.python.version} is not installed"
    return None


def _old_gcc_refusal(machine: Machine) -> str | None:
    if machine.compiler is None or machine.compiler.family != "gcc" or machine.torch is None:
        return None
    oldest, have = build_hazards.host_gcc(machine.torch.version), machine.compiler.version
    if oldest and numbers(have) < numbers(oldest.gcc):
        return f"gcc {have} is older than {oldest.gcc}, the oldest for torch {machine.torch.version}"
    return None


def memory_refusal(machine: Machine, row: SourceBuild) -> str | None:
    """Too little memory for one compiler: in all, or free now."""
    memory = machine.memory
    if memory is None:
        return None
    least = row.process_peak_gib + row.reserve_gib
    have = min(memory.total_bytes, memory.limit_bytes or memory.total_bytes)
    if have < least * GIB:
        return f"one compile needs {row.process_peak_gib:g} GiB, and there are {have / GIB:.1f} GiB in all"
    if settings(row, memory.available_bytes, 1, 1) is None:
        free = memory.available_bytes / GIB
        return f"one compile needs {row.process_peak_gib:g} GiB, and {free:.1f} GiB are free now: end what fills it"
    return None
