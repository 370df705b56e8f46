"""AD209 low-memory-for-build

Compiling flash-attn takes up to 6.6 GiB for each device compiler, and a job runs as many of them as NVCC_THREADS says
(4 where it is unset), one an architecture. The peak comes within the first minutes; the kernel then kills a compiler,
and the log says no more than "Killed". MAX_JOBS that is set by hand switches flash-attn's own reckoning off, and
neither looks at a container's limit. One architecture (FLASH_ATTN_CUDA_ARCHS) costs a quarter of four.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import attention
from attn_doctor.knowledge.capability import capability
from attn_doctor.machine.probes.memory import Memory
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.toolkits import Toolkits

GIB = 1 << 30
DEFAULT_ARCHS = "80;90;100;120"  # flash-attn 2.8.3.post2, setup.py
DEFAULT_THREADS = 4


def check(
    machine: Machine,
    environment: dict[str, str],
    packages: dict[str, Package],
    memory: Memory,
    toolkits: Toolkits,
) -> Problem | None:
    row = attention.source_build("flash-attn", "2")
    able = [
        gpu for gpu in machine.nvidia if gpu.compute_capability and capability(gpu.compute_capability)[0] in row.majors
    ]
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
    if not jobs.isdigit() or int(jobs) == 0:
        return None
    threads = environment.get("NVCC_THREADS", "")
    archs = [arch for arch in (environment.get("FLASH_ATTN_CUDA_ARCHS") or DEFAULT_ARCHS).split(";") if arch]
    at_once = min(int(threads) if threads.isdigit() and int(threads) else DEFAULT_THREADS, len(archs))
    if int(jobs) * at_once * row.process_peak_gib + row.reserve_gib <= have:
        return None
    fitting = int((have - row.reserve_gib) / row.process_peak_gib)
    arch = "80" if (low := capability(able[0].compute_capability or "8.0")[0]) == 8 else f"{low}0"  # noqa: PLR2004
    return Problem(
        f"MAX_JOBS={jobs} with {at_once} device compilers a job would take up to "
        f"{int(jobs) * at_once * row.process_peak_gib:.0f} GiB in a flash-attn build, and {place} has {have:.1f} GiB. "
        f"{_build.ONLY_BUILDS}",
        fix=(f"export FLASH_ATTN_CUDA_ARCHS={arch} NVCC_THREADS=1 MAX_JOBS={min(int(jobs), fitting)}",),
    )


RULE = Rule("AD209", "low-memory-for-build", "info", "too little memory to compile flash-attn", check)
