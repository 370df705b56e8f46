"""Memory ran out while compiling: the kernel ended a compiler, or a compiler could not get more.

Memory goes by device compilers: jobs times NVCC_THREADS. "Killed" says it plainly beside a compiler's name; alone it
may be any program that ran out of memory, also a model. Signal 11 is a crash and no lack of memory.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log
from attn_doctor.judgement import source_build
from attn_doctor.knowledge import attention

SCARCE = 0.01  # of the memory: what top shows while everything is about to be killed
COMPILERS = r"(?:cicc|ptxas|cudafe\+\+|cc1plus|cc1|nvcc|ninja|c\+\+|g\+\+|clang|fatbinary|nvlink|ld|cl|hipcc|lld)"
# "Killed" as shells and compilers say it in their languages
KILLED = r"(?:Killed|Getötet|Abgebrochen|Processus arrêté|Tué|Terminado|Matado|已杀死|已终止|強制終了|Убито|Ucciso)"


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.by == "top":
        return HINT if float(match["free"] or 0) < float(match["total"] or 0) * SCARCE else None
    building = _builds.compiling(match.line, log)
    if match.sign.by == "paging file":
        return PROOF if building and not log.has("import torch", "from torch import") else None
    if match.strength == PROOF:
        return PROOF
    if match.strength == SIGN:
        return SIGN if building else None
    if match.sign.by == "sh: alone":
        return SIGN if building else HINT
    return HINT


def explain(_match: Match, case: Case) -> str:
    row = attention.source_build("flash-attn", "2")
    if case.package == "flash-attn":
        return (
            "Memory ran out while compiling, and the system ended a compiler. One device compiler of flash-attn takes "
            f"up to {row.process_peak_gib:g} GiB, and there are MAX_JOBS times NVCC_THREADS of them at once "
            f"({row.default_threads} threads in each job where nothing is set)."
        )
    return (
        "Memory ran out while compiling, and the system ended a compiler. How much is taken goes by the number of "
        "compilers at once: MAX_JOBS, times the threads that each nvcc may start."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield from _builds.a_wheel(case)
    settings = _settings(case)
    if settings is None:
        yield f"{_commands.again(case, MAX_JOBS='1', NVCC_THREADS='1')}   (one compiler at a time, the least there is)"
    else:
        command = _commands.again(case, MAX_JOBS=str(settings.max_jobs), NVCC_THREADS=str(settings.nvcc_threads))
        least, most = settings.minutes
        yield f"{command}   (about {settings.peak_gib:g} GiB at its worst; {least} to {most} minutes)"
    if own := _archs(case):
        yield f"{_commands.variables(case, FLASH_ATTN_CUDA_ARCHS=own)}   (only the GPU at hand: fewer compilers)"
    if case.log.has("microsoft", "WSL", "/mnt/c/"):
        yield "WSL has half of the machine's memory unless .wslconfig says memory= and swap=; then wsl --shutdown"
    elif case.log.has("docker", "containerd", "kubepods", "OOMKilled"):
        yield "the container's own limit counts, not the host's memory: docker run --memory, or the pod's limits"


def _settings(case: Case) -> source_build.Settings | None:
    """What the memory of the machine allows; None where it is not known or nothing fits."""
    machine = case.machine
    if machine is None or machine.memory is None or case.package not in (None, "flash-attn"):
        return None
    row = attention.source_build("flash-attn", "2")
    archs = len(source_build.architectures(row, machine.capabilities)) or len(row.default_archs)
    return source_build.settings(row, machine.memory.available_bytes, machine.cores, archs)


def _archs(case: Case) -> str | None:
    machine = case.machine
    if machine is None or case.package not in (None, "flash-attn"):
        return None
    row = attention.source_build("flash-attn", "2")
    return ";".join(source_build.architectures(row, machine.capabilities)) or None


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="build-oom-killed",
    stage="build",
    title="Memory ran out while compiling",
    signs=(
        Sign("iB Mem", r"[MGK]iB Mem ?: *(?P<total>[\d.]+) total, *(?P<free>[\d.]+) free", HINT, "top"),
        _sign("signal terminated program", rf"(?:{KILLED}|Bus error) signal terminated program", "gcc"),
        _sign(
            "cc1plus", rf"{KILLED}[^\n]{{0,80}}\bcc1plus\b|\bcc1plus\b[^\n]{{0,40}}{KILLED}", "gcc, in its languages"
        ),
        _sign("internal compiler error: Killed", None, "gcc before 10"),
        _sign("died due to signal 9", None, "nvcc"),
        _sign("(Kill signal)", r"died due to signal", "nvcc"),
        _sign("out of memory allocating", None, "gcc: xmalloc"),
        _sign("virtual memory exhausted", None, "gcc"),
        _sign("LLVM ERROR: out of memory", None, "clang, cicc"),
        _sign("Memory allocation failure", None, "nvcc, ptxas, cudafe++"),
        _sign("compiler is out of heap space", None, "MSVC C1060, C1002"),
        _sign("fatal error C1060", None, "MSVC, in any language"),
        _sign("fatal error C1002", None, "MSVC, in any language"),
        _sign("fatal error C1076", None, "MSVC, in any language"),
        _sign("The paging file is too small", None, "paging file"),
        _sign("[WinError 1455]", None, "paging file"),
        _sign("Killed process", rf"Killed process \d+ \({COMPILERS}\)", "Linux, mm/oom_kill.c"),
        _sign("oom-kill:", rf"task={COMPILERS}\b", "Linux, mm/oom_kill.c"),
        _sign("oom_reaper:", rf"\({COMPILERS}\)", "Linux, mm/oom_kill.c"),
        _sign("Killed process", None, "Linux, mm/oom_kill.c", SIGN),
        _sign("oom-kill event", None, "slurmstepd", SIGN),
        _sign("cgroup out-of-memory handler", None, "slurmstepd", SIGN),
        _sign("out of memory", r"(?i)memory cgroup out of memory", "Linux, mm/oom_kill.c", SIGN),
        _sign("OOMKilled", None, "Kubernetes, docker", SIGN),
        _sign("cannot allocate memory", r"(?i)cannot allocate memory", "sh, fork, docker build", SIGN),
        _sign("Cannot allocate memory", None, "sh, Python: OSError 12", SIGN),
        _sign("std::bad_alloc", r"cicc|cc1plus|cudafe|nvcc|ptxas", "compilers"),
        _sign("code: 137", None, "docker build", SIGN),
        _sign("code 137", None, "GitHub Actions, docker", SIGN),
        _sign("[code=137]", r"^\s*FAILED: \[code=137\]", "ninja 1.12 and later", SIGN),
        _sign("status 137", None, "make, CMake", SIGN),
        _sign("Error 137", None, "make", SIGN),
        _sign(" Killed", rf"(?:^|\s)\d+ {KILLED}\s+[^\n]{{0,300}}\b{COMPILERS}\b", "bash"),
        _sign("Killed", r"^\s*(?:\S+: line \d+: +\d+ )?Killed\b(?! process)", "sh: alone", HINT),
        _sign("已杀死", r"^\s*已杀死", "sh: alone", HINT),
        _sign("Getötet", r"^\s*Getötet", "sh: alone", HINT),
        _sign("Memory", r"(?i)\bpeak memory\b|\bmemory per thread\b", "people: figures of a build", HINT),
        _sign("MAX_JOBS", r"(?i)memory|\bRAM\b|\bOOM\b", "README of flash-attn, people", HINT),
        _sign("run out of", r"(?i)run(?:s|ning)? out of (?:memory|ram)", "people", SIGN),
        _sign("ran out of", r"(?i)ran out of (?:memory|ram)", "people", SIGN),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "windows-msvc-build", "cuda-headers-incomplete"),
)
