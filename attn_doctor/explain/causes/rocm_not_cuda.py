"""An AMD GPU, or a torch for ROCm: what the documentation says of CUDA does not hold there.

hipcc's errors, missing ROCm parts and flash-attn's own list of gfx architectures; and the lines of CUDA causes where
the log comes from such a machine.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds
from attn_doctor.explain.log import Log

NVIDIA = (
    "CUDA_HOME environment variable is not set",
    "Cannot find CUDA_HOME",
    "nvcc was not found",
    "nvcc: command not found",
    "No such file or directory: 'nvcc'",
    "Found no NVIDIA driver on your system",
    "Torch not compiled with CUDA enabled",
    "CUDA driver version is insufficient",
)


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.literal in NVIDIA:
        return match.strength if _builds.on_rocm(log) and not log.has("+cu1", "NVIDIA GeForce") else None
    if match.strength == HINT and not _builds.during_a_build(match.line, log):
        return None
    return match.strength


def explain(match: Match, _case: Case) -> str:
    if match.sign.literal in NVIDIA:
        return (
            "The machine has an AMD GPU, and the package asks for NVIDIA's CUDA, which does not run on it. A CUDA "
            "toolkit would not help: what is needed is torch for ROCm, and the package's way for ROCm."
        )
    return (
        "The package is compiled for an AMD GPU here, with hipcc in place of nvcc. Its ROCm sources cover only some "
        "GPUs and ROCm releases, and advice about CUDA does not apply."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    if case.package == "xformers":
        yield "pip install xformers --index-url https://download.pytorch.org/whl/rocmX.Y   (your torch's index)"
    elif case.package in (None, "flash-attn"):
        yield (
            "FLASH_ATTENTION_TRITON_AMD_ENABLE=TRUE pip install --no-build-isolation flash-attn   (its Triton kernels: "
            "nothing is compiled by hipcc; set the variable when you run it too)"
        )
        yield "its compiled kernels are for AMD Instinct only; where you have one: GPU_ARCHS=gfx... before the command"
    yield 'attn_implementation="sdpa": torch for ROCm has its own flash attention, with nothing to install'


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="rocm-not-cuda",
    stage="build",
    title="This is a machine for ROCm, and not for CUDA",
    signs=(
        _sign("generated when compiling for gfx", None, "hipcc: clang"),
        _sign("hipcc was not found", None, "flash-attn, mamba-ssm setup.py"),
        _sign("ROCM_HOME environment variable is not set", None, "torch/utils/cpp_extension.py"),
        _sign("hip installation not found", None, "causal-conv1d, xformers setup.py"),
        _sign("is invalid or not supported by Flash-Attention", None, "flash-attn setup.py: validate_and_update_archs"),
        _sign("only supported on ROCm", None, "mamba-ssm, causal-conv1d setup.py"),
        _sign("Unable to detect current ROCm architecture", None, "sageattention setup.py"),
        _sign("rocminfo command failed", None, "sageattention setup.py"),
        _sign("hip/hip_runtime", r"(?:not found|No such file|C1083)", "clang, gcc"),
        _sign("hipErrorNoBinaryForGpu", None, "HIP runtime"),
        _sign("only supports AMD MI200", r"(?i)only supports? AMD MI200", "flash-attn csrc/flash_attn_ck"),
        _sign("AMD MI200 GPUs or newer", None, "flash-attn csrc/flash_attn_ck"),
        _sign("cannot find ROCm device library", None, "clang"),
        _sign("hipify", r"(?i)hipify[^\n]{0,80}(?:error|failed|not found)", "torch/utils/hipify"),
        _sign("composable_kernel", r"(?i)error|fatal|failed|not found", "hipcc", SIGN),
        _sign("ck_tile", r"error:", "hipcc", SIGN),
        _sign("/hip/", r"\berror:", "hipcc", SIGN),
        _sign("hipcc", r"(?i)failed|not found|error", "hipcc", SIGN),
        _sign("HIP error", r"HIP error:", "torch for ROCm", SIGN),
        _sign("No HIP GPUs are available", None, "torch for ROCm: c10/hip", SIGN),
        _sign("No ROCm runtime is found", None, "torch/utils/cpp_extension.py", HINT),
        *(_sign(literal, None, "the line of another cause, from a machine with AMD GPUs") for literal in NVIDIA),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(
        *_builds.AFTERMATH,
        *("nvcc-missing-cuda-home", "cuda-home-malformed", "no-gpu-visible", "cpu-only-torch"),
    ),
)
