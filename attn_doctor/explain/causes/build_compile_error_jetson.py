"""A compile that fails on a Jetson, where the log does not say more closely why.

Jetsons have a torch, a toolkit and drivers of their own, and little memory; what fails on them is mostly one of the
other causes, and those win where they show.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _commands
from attn_doctor.explain.log import Log

FAILED = (
    *("ninja: build stopped", "Error compiling objects", "Failed building wheel", "error: command ", "FAILED: "),
    *(
        "errors detected in the compilation",
        "error detected in the compilation",
        "compilation terminated",
        "Failed to build",
    ),
    *("failed with exit code", "failed with exit status"),
)


COMPILE_ERROR = r"\.(?:cuh?|cpp|hp{0,2}|cc)(?:\(\d+\)|:\d+:\d+): (?:fatal )?error"
COMPILES = ("nvcc", ".cu", "cpp_extension", "csrc/", "ptxas", "cicc", "setup.py", "Building wheel", "ninja", "CMake")


def weigh(match: Match, log: Log) -> Strength | None:
    if not log.has(*FAILED) and not log.matches(COMPILE_ERROR):
        return None
    if not log.has(*COMPILES):
        return None
    return SIGN if log.has(*FAILED) else match.strength


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield "a file built for your JetPack: the index of NVIDIA's Jetson AI Lab has flash-attn, or an image of dustynv/"
    own = ";".join(case.machine.capabilities) if case.machine else ""
    one_arch = {"TORCH_CUDA_ARCH_LIST": own} if own else {}
    command = _commands.again(case, MAX_JOBS="1", NVCC_THREADS="1", **one_arch)
    yield f"{command} -v 2>&1 | tee build.log   (one file at a time: its first `error:` says what is wrong)"
    yield "sdpa of torch runs there without anything being compiled"


def _sign(literal: str, pattern: str) -> Sign:
    return Sign(literal, pattern, HINT, "a path, a tag or a name of Jetson's")


CAUSE = Cause(
    category="build-compile-error-jetson",
    stage="build",
    title="The compile fails on a Jetson",
    signs=(
        _sign("etson", r"(?i)\bjetson\b"),
        _sign("etPack", r"(?i)jetpack"),
        _sign("tegra", r"(?i)(?:\b|nv)tegra"),
        _sign("l4t", r"(?i)\bl4t\b"),
        _sign("dustynv", r"dustynv/"),
        _sign("Orin", r"\bOrin\b"),
        _sign("Xavier", r"\bXavier\b"),
    ),
    explain=(
        "The compile stopped on a Jetson. Its torch, its toolkit and its GPU are others than those that most packages "
        "are tried on, and a file built for it saves the attempt."
    ),
    fix=fix,
    weigh=weigh,
    leads_to=("prebuilt-wheel-not-found-source-fallback", "ninja-missing-slow-build"),
)
