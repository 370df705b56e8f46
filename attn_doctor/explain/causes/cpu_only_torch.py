"""torch is a build without CUDA, on a machine that has a GPU.

It comes from an index of CPU wheels, from the package index on Windows, from conda's cpuonly, or with a dependency that
was resolved without an index of CUDA wheels. torch says so itself when CUDA is asked of it; xFormers shows it as
"you have 2.1.2+cpu". Not to be taken for a driver that is missing (no-gpu-visible: torch has CUDA and finds no device),
nor for a Mac, where there is no CUDA at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _torches
from attn_doctor.explain.log import Log

MAC = r"(?<![\w.])/Users/|macosx_\d|(?i:\bmacos\b|\bdarwin\b|apple silicon|\bmps\b)"
COLLECTED = ("CUDA used to build PyTorch: None", "CUDA used to build PyTorch: Could not collect")
A_GPU = r"GPU \d: |NVIDIA-SMI|Nvidia driver version: \d|(?i:geforce|tesla|\brtx \d{4}|\b[ahl]\d{2,3}0?\b)"
UNUSED = (
    r"(?i)is_available\W{1,10}False|cuda(?: is)? (?:not )?available\W{1,4}False|CUDA is not available"
    r"|no cuda gpus"
)
CPU_BUILD = r"(?<![\w.])(?P<torch>\d+\.\d+(?:\.\d+)?(?:\.dev\d+|rc\d+|a0)?\+cpu)\b"


def weigh(match: Match, log: Log) -> Strength | None:
    if log.matches(MAC):
        return None  # there is no CUDA for a Mac: another cause
    if log.matches(r"\+rocm\d|ROCM used to build PyTorch: \d"):
        return None
    if match.sign.literal == "(you have " and match["built"] != _release(match["torch"]):
        return HINT  # of another release besides: xformers-torch-mismatch says more
    if match.sign.literal in COLLECTED:
        return SIGN if log.matches(A_GPU) else None
    if match.sign.literal == "+cpu" and re.search(rf"(?:==|torch-){CPU_BUILD}", match.line.text):
        return None  # what is asked for, or a file's name: nothing that is installed
    if match.sign.literal == "+cpu" and not log.matches(UNUSED):
        return HINT  # who installs it may want it, and the failure may be another
    if match.sign.literal == "+cpu" and "PyTorch version: " in match.line.text:
        return None  # collect_env on a machine that may have no GPU
    return match.strength


def _release(version: str | None) -> str:
    return (version or "").partition("+")[0]


def explain(_match: Match, case: Case) -> str:
    found = case.log.matches(CPU_BUILD)
    version = found["torch"] if found else None
    which = f"torch {version}" if version else "The installed torch"
    return (
        f"{which} is a build without CUDA: no driver and no toolkit makes it use the GPU. "
        "The build with CUDA has to take its place, with torchvision and torchaudio of the same kind."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield from _torches.with_cuda(case)
    if case.log.has("conda"):
        yield "conda: remove cpuonly first (conda remove cpuonly), else it holds the CPU build"
    yield (
        'afterwards: python -c "import torch; print(torch.__version__, torch.version.cuda)"   '
        "(a CUDA version, not None)"
    )


CAUSE = Cause(
    category="cpu-only-torch",
    stage="runtime",
    title="The installed torch is a CPU build",
    signs=(
        Sign("Torch not compiled with CUDA enabled", by="torch/cuda/__init__.py, _lazy_init"),
        Sign("PyTorch was compiled without CUDA support", by="torch/cuda/__init__.py"),
        Sign("Torch was not compiled with CUDA or ROCm enabled", by="kernels, utils.build_variant"),
        Sign("PyTorch is not linked with support for cuda devices", by="c10/core/impl/DeviceGuardImplInterface.h"),
        Sign("Cannot initialize CUDA without ATen_cuda library", by="aten/src/ATen/detail/CUDAHooksInterface.h"),
        Sign("Cannot get CUDA generator without ATen_cuda library", by="aten/src/ATen/detail/CUDAHooksInterface.h"),
        Sign("Cannot query ", r"Cannot query \w+ version without ATen_cuda library", by="CUDAHooksInterface.h"),
        Sign(
            "(you have ",
            rf"PyTorch (?P<built>[\d.]+)\S* [^\n]{{0,40}}\(you have {CPU_BUILD}\)",
            by="xformers/_cpp_lib.py",
        ),
        Sign(
            "arguments from the 'CUDA' backend",
            r"Could not run 'aten::[\w.]+' with arguments from the 'CUDA' backend",
            SIGN,
            by="c10 dispatcher: the library with the CUDA kernels is not there",
        ),
        Sign("CUDA used to build PyTorch: None", strength=SIGN, by="torch.utils.collect_env"),
        Sign("CUDA used to build PyTorch: Could not collect", strength=HINT, by="torch.utils.collect_env"),
        Sign("+cpu", CPU_BUILD, SIGN, by="torch.__version__"),
        Sign("torch.version.cuda", r"torch\.version\.cuda\W{1,6}None\b", SIGN, by="set-up scripts and users"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(
        "no-gpu-visible",
        "xformers-no-operator",
        "transformers-fa2-package-missing",
        "sdpa-no-available-kernel",
    ),
)
