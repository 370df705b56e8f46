"""nvcc does not know the architecture it is asked for: too new for it, or dropped since.

ptxas says it likewise (Value 'sm_90a' is not defined for option 'gpu-name'); when Triton calls it while a model runs,
that is Triton's cause and not this one. The warning that old architectures will be removed does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import cuda
from attn_doctor.knowledge.capability import parse
from attn_doctor.knowledge.versions import numbers


def weigh(match: Match, log: Log) -> Strength | None:
    if "gpu-name" in match.line.text and log.near(
        match.line, "triton", "Triton", "ptxas-blackwell", before=30, after=10
    ):
        return None
    return match.strength


def knowing(arch: str) -> tuple[str, ...]:
    """The CUDAs of the table whose nvcc compiles for it, oldest first."""
    wanted = arch.replace("compute_", "sm_").replace("lto_", "sm_")
    known = [row.cuda for row in cuda.table().nvcc if row.archs and wanted in row.archs.split()]
    return tuple(sorted(known, key=numbers))


def _dropped(arch: str, nvcc: str | None) -> bool:
    """Whether newer compilers have left it behind: by the nvcc at hand, else by the newest."""
    known = knowing(arch)
    return bool(known) and numbers(nvcc or cuda.newest()) > numbers(known[-1])


def explain(match: Match, case: Case) -> str:
    arch, nvcc = match["arch"] or "the architecture", case.said.get("nvcc")
    known = knowing(arch)
    who = f"nvcc {nvcc}" if nvcc else "This nvcc"
    if known and nvcc is not None and _dropped(arch, nvcc):
        return f"{who} cannot compile for {arch} any more: CUDA {known[-1]} is the last that can."
    if known and _dropped(arch, None):
        return f"{who} cannot compile for {arch}: CUDA {known[-1]} is the last that can."
    if known:
        return f"{who} cannot compile for {arch}: CUDA {known[0]} is the first that can."
    return f"{who} does not know {arch}: it is too old for it, or the name is not one of an NVIDIA GPU."


def fix(match: Match, case: Case) -> Iterator[str]:
    arch, nvcc = match["arch"] or "", case.said.get("nvcc")
    known = knowing(arch)
    yield from _builds.a_wheel(case)
    if own := _own(case):
        yield f"{_commands.variables(case, TORCH_CUDA_ARCH_LIST=own)}   (only the GPU at hand)"
    if known:
        yield from _commands.toolkit(case, _suiting(case, known, arch))
    if nvcc and known and _dropped(arch, nvcc):
        yield f"or leave {arch} out: it is in TORCH_CUDA_ARCH_LIST, CMAKE_CUDA_ARCHITECTURES or the package's own list"
    elif arch and not own:
        yield f"if the GPU is not a {_capability(arch)}: set TORCH_CUDA_ARCH_LIST to what it is"


def _suiting(case: Case, known: tuple[str, ...], arch: str) -> str:
    """Of those that know it, one of torch's CUDA where there is one."""
    wanted = _commands.wanted_cuda(case)
    if wanted in known:
        return str(wanted)
    same = [one for one in known if wanted and one.split(".")[0] == wanted.split(".")[0]]
    return (same or list(known))[-1 if _dropped(arch, None) else 0]


def _own(case: Case) -> str | None:
    """The capabilities of the GPUs at hand, where they are known and can be compiled for."""
    machine = case.machine
    if machine is None or not machine.nvidia:
        return None
    nvcc = case.said.get("nvcc")
    archs = cuda.nvcc_archs(nvcc) if nvcc else None
    own = [one for one in machine.capabilities if archs is None or f"sm_{one.replace('.', '')}" in archs]
    return ";".join(own) or None


def _capability(arch: str) -> str:
    parsed = parse(arch)
    return f"{parsed[1]}.{parsed[2]}" if parsed else arch


CAUSE = Cause(
    category="nvcc-arch-unsupported",
    stage="build",
    title="nvcc cannot compile for the requested GPU architecture",
    signs=(
        Sign("Unsupported gpu architecture", r"architecture '(?P<arch>(?:compute|sm|lto)_\w+)'", PROOF, "nvcc"),
        Sign(
            "is not defined for option '",
            r"Value '(?P<arch>(?:sm|compute|lto)_\w+)' is not defined for option 'gpu-(?:architecture|name|code)'",
            PROOF,
            "nvcc, ptxas",
        ),
        Sign("unsupported CUDA gpu architecture", r"architecture: (?P<arch>sm_\w+)", PROOF, "clang"),
        Sign("is not in 'keyword' format", r"gpu-architecture|gpu-code", PROOF, "nvcc: cmdline"),
        Sign("Unsupported architecture '", r"nvcc[^\n]{0,60}Unsupported architecture '(?P<arch>\w+)'", PROOF, "nvcc"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "cuda-home-malformed", "nvcc-missing-cuda-home"),
)
