"""AD209 low-memory-for-build

Compiling flash-attn takes up to 6.6 GiB for each device compiler, and a job runs as many of them as NVCC_THREADS says
(4 where it is unset), one an architecture. The peak comes within the first minutes; the kernel then kills a compiler,
and the log says no more than "Killed". MAX_JOBS that is set by hand switches flash-attn's own reckoning off, and
neither looks at a container's limit. One architecture (FLASH_ATTN_CUDA_ARCHS) costs a quarter of four.
"""

from __future__ import annotations

from attn_doctor.judgement import source_build
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import attention
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import digits
from attn_doctor.machine.probes.memory import GIB, Memory
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.toolkits import Toolkits


def check(
    machine: Machine,
    environment: dict[str, str],
    packages: dict[str, Package],
    memory: Memory,
    toolkits: Toolkits,
) -> Problem | None:
    row = attention.source_build("flash-attn", "2")
    able = tuple(on for on in machine.capabilities if capability(on)[0] in row.majors)
    if not toolkits.found or not able or "flash-attn" in packages or not _build.could_build(machine):
        return None
    have = min(memory.total_bytes, memory.limit_bytes or memory.total_bytes) / GIB
    place = "this container" if memory.limit_bytes and memory.limit_bytes < memory.total_bytes else "this machine"
    if have < row.process_peak_gib + row.reserve_gib:
        return Problem(
            f"one compiler of a flash-attn build takes {row.process_peak_gib:g} GiB, and {place} has {have:.1f} GiB "
            "in all. Take a published wheel, or compile elsewhere."
        )
    jobs = environment.get("MAX_JOBS", "")
    if not digits(jobs) or int(jobs) == 0:
        return None
    threads = environment.get("NVCC_THREADS", "")
    archs = [arch for arch in environment.get("FLASH_ATTN_CUDA_ARCHS", "").split(";") if arch] or row.default_archs
    at_once = min(int(threads) if digits(threads) and int(threads) else row.default_threads, len(archs))
    peak = source_build.peak_gib(row, int(jobs) * at_once)
    if peak + row.reserve_gib <= have:
        return None
    fitting = source_build.settings(row, int(have * GIB), int(jobs), 1)
    named = ";".join(source_build.architectures(row, able))
    return Problem(
        f"MAX_JOBS={jobs} with {at_once} device compilers a job would take up to {peak:.0f} GiB in a flash-attn build, "
        f"and {place} has {have:.1f} GiB. {_build.ONLY_BUILDS}",
        fix=(f"export FLASH_ATTN_CUDA_ARCHS={named} NVCC_THREADS=1 MAX_JOBS={fitting.max_jobs if fitting else 1}",),
    )


RULE = Rule("AD209", "low-memory-for-build", "info", "too little memory to compile flash-attn", check)
