"""A package for CUDA on a Mac: no Mac has had an NVIDIA driver since macOS 10.13, and torch for macOS has no CUDA.

The lines are those of other causes (no nvcc, no CUDA_HOME, torch without CUDA); that they come from a Mac decides.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds
from attn_doctor.explain.log import Log

# zsh is the shell of Macs, and no clang but Apple's knows no OpenMP
OF_MACS = ("not found: nvcc", "unsupported option '-fopenmp'")


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.literal in OF_MACS:
        return PROOF if _builds.on_macos(log) else SIGN
    return match.strength if _builds.on_macos(log) else None


def fix(_match: Match, _case: Case) -> Iterator[str]:
    yield "attn_implementation='sdpa' and device 'mps': torch's own attention runs on Apple's GPUs, nothing to install"
    yield "in the requirements: flash-attn ; sys_platform == 'linux'   (so that it is left out on a Mac)"
    yield "CUDA itself needs a machine with an NVIDIA GPU; no toolkit and no variable changes that"


def _sign(literal: str, pattern: str | None = None, strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, "the line of another cause, from a Mac")


CAUSE = Cause(
    category="macos-no-cuda",
    stage="build",
    title="There is no CUDA on macOS",
    signs=(
        _sign("CUDA_HOME environment variable is not set"),
        _sign("CUDA was not found on the system"),
        _sign("nvcc was not found"),
        _sign("nvcc: command not found"),
        _sign("not found: nvcc"),
        _sign("Cannot find CUDA_HOME"),
        _sign("No such file or directory: 'nvcc'"),
        _sign("bin/nvcc'", r"No such file or directory: '[^']{0,200}bin/nvcc'"),
        _sign("name 'bare_metal_version' is not defined"),
        _sign("Torch not compiled with CUDA enabled"),
        _sign("not linked with support for cuda", r"(?i)not linked with support for cuda"),
        _sign(
            "No matching distribution found for", r"for (?:nvidia-\S+|triton|bitsandbytes|cupy-cuda\S*|onnxruntime-gpu)"
        ),
        _sign("macosx_", r"flash_attn-[^\n]{0,80}macosx_"),
        _sign("expected string or bytes-like object", None),
        _sign("unsupported option '-fopenmp'", None),
        _sign("'omp.h' file not found", None, SIGN),
        _sign("CUDA is not available on macOS"),
        _sign("No CUDA toolset", None, SIGN),
        _sign("FlashAttention2 has been toggled on", None),
        _sign("flash_attn seems to be not installed", None),
        _sign("No CMAKE_CUDA_COMPILER could be found", None),
        _sign("only supported on Linux", r"(?i)only supported on linux", SIGN),
        _sign("CUDA", r"(?i)\bno (?:nvidia|cuda)[^\n]{0,40}(?:mac|darwin|apple)", SIGN),
    ),
    explain=(
        "Apple's machines have no NVIDIA GPU, and torch for macOS is built without CUDA. What is written in CUDA, such "
        "as flash-attn and xformers' kernels, cannot be built or run there."
    ),
    fix=fix,
    weigh=weigh,
    leads_to=(
        *_builds.AFTERMATH,
        *("nvcc-missing-cuda-home", "cuda-home-malformed", "cpu-only-torch", "torch-missing-build-isolation"),
        *("no-matching-distribution", "transformers-fa2-package-missing", "build-deps-missing", "no-gpu-visible"),
    ),
)
