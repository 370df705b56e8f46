"""nvcc is of another CUDA major than torch, so that what it compiles could not be loaded beside it.

torch's builder stops there; a differing minor is a warning and does no harm. apex and flash-attn's old extensions want
the very minor. nvidia-smi's "CUDA Version" has nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import SIGN, Cause, Match, Sign
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import compiled
from attn_doctor.knowledge.versions import major

# over the lines that torch, pip and terminals break the message into, and as the tuple that torch 2.1 to 2.14 raises
NVCC = r"detected CUDA version \((\d+\.\d+)\)|Installed CUDA version (\d+\.\d+)|CUDA versions\.', '(\d+\.\d+)'"
TORCH = (
    r"PyTorch \((\d+\.\d+)\)|torch was compiled with (\d+\.\d+)|CUDA versions\.', '\d+\.\d+', '(\d+\.\d+)'"
    r"|compiled with Cuda (\d+\.\d+)"
)


def _version(pattern: str, match: Match, case: Case) -> str | None:
    about = " ".join(line.text.strip() for line in case.log.around(match.line, before=2, after=2))
    found = compiled(pattern).search(about)
    return next((group for group in found.groups() if group), None) if found else None


def explain(match: Match, case: Case) -> str:
    nvcc = _version(NVCC, match, case) or case.said.get("nvcc")
    torch = _version(TORCH, match, case) or _commands.torch_cuda(case)
    have = f"nvcc is of CUDA {nvcc}" if nvcc else "nvcc is of another CUDA"
    want = f"torch was built for CUDA {torch}" if torch else "than torch was built for"
    joined = f"{have}, and {want}" if nvcc or torch else f"{have} {want}"
    return (
        f"{joined}. An extension has to be compiled with the major of torch's CUDA: it shares the runtime with it. "
        "Only the toolkit matters here; the version in nvidia-smi is what the driver can do at most."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    torch = _version(TORCH, match, case) or _commands.torch_cuda(case)
    nvcc = _version(NVCC, match, case) or case.said.get("nvcc")
    yield from _builds.a_wheel(case)
    if torch:
        chosen = _commands.wanted_cuda(case)
        cuda = chosen if chosen and major(chosen) == major(torch) else torch
        yield from _commands.toolkit(case, cuda)
        if not case.windows:
            yield f"ls -d /usr/local/cuda-{major(torch)}*   (one of these may be there already: export CUDA_HOME to it)"
    if nvcc and (moved := _commands.another_torch(case, nvcc)):
        yield f"{moved}   (or the torch that nvcc fits)"


CAUSE = Cause(
    category="cuda-toolkit-torch-mismatch",
    stage="build",
    title="nvcc and torch are of different CUDA versions",
    signs=(
        Sign(
            "mismatches the version that was used to compile", by="torch/utils/cpp_extension.py: CUDA_MISMATCH_MESSAGE"
        ),
        Sign("detected CUDA version", r"detected CUDA version \([\d.]+\) mismatches", by="the same, wrapped"),
        Sign(
            "not match the version used to compile Pytorch", by="apex setup.py: check_cuda_torch_binary_vs_bare_metal"
        ),
        Sign("not match the version torch was compiled with", by="DeepSpeed op_builder/builder.py"),
        Sign("CUDAMismatchException", by="DeepSpeed op_builder/builder.py"),
        Sign("Please make sure to use the same CUDA versions", None, SIGN, by="torch/utils/cpp_extension.py"),
    ),
    explain=explain,
    fix=fix,
    leads_to=_builds.AFTERMATH,
)
