"""The package's own table of GPU architectures does not have this GPU.

GB10 (12.1) and Thor (11.0) are younger than many a setup.py. torch's table is arch-list-invalid, nvcc's is
nvcc-arch-unsupported; that a kernel is missing at run time is no-kernel-image-*.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log


def weigh(match: Match, log: Log) -> Strength | None:
    if match.strength == SIGN and not _builds.compiling(match.line, log):
        return None
    if "'num'" in match.sign.literal:
        near = log.near(match.line, "NVCC_FLAGS", "gencode", "setup.py", before=6)
        return PROOF if near else SIGN if len(log.lines) < SHORT else None
    return match.strength


SHORT = 4


def explain(match: Match, case: Case) -> str:
    gpu = match["arch"] or case.said.get("gpu") or "this GPU"
    return (
        f"The package lists the GPU architectures it can be built for, and {gpu} is not among them. That is a limit of "
        "this release, not of your toolkit."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    yield from _builds.a_wheel(case)
    arch = match["arch"] or ""
    family = f"{arch.split('.')[0]}.0" if "." in arch and not arch.endswith(".0") else None
    if family:
        yield f"{_commands.again(case, TORCH_CUDA_ARCH_LIST=family)}   (code for {family} runs on {arch} too)"
    package = case.package or "the package"
    yield f"a newer release or the main branch of {package} may list it"
    if case.facts is not None:
        yield "attn-doctor check   (which backends run on this GPU as things are: sdpa of torch mostly does)"


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


ARCH = r"(?P<arch>\d{1,2}\.\d[af]?)"

CAUSE = Cause(
    category="gpu-arch-unknown-to-package",
    stage="build",
    title="The package cannot be built for this GPU: its own list does not have it",
    signs=(
        _sign(
            "nsupported compute capabilit", rf"(?i)unsupported compute capabilit(?:y|ies)\W{{0,3}}{ARCH}?", "setup.py"
        ),
        _sign("No supported CUDA architectures found", None, "flashinfer/compilation_context.py"),
        _sign("with compute capability below 8.0 are not supported", None, "sageattention, vllm setup.py"),
        _sign("name 'num' is not defined", None, "sageattention setup.py: no branch for the capability"),
        _sign("RuntimeError: Unsupported GPU", None, "sageattention3_blackwell setup.py"),
        _sign(
            "SUPPORTED_ARCHS",
            rf"(?i)(?:not in|unknown|unsupported|invalid|KeyError)[^\n]{{0,60}}|{ARCH}.{{0,20}}not in",
            "setup.py",
            SIGN,
        ),
        _sign("nsupported GPU arch", rf"(?i)unsupported gpu architecture[: ]+(?:sm_)?{ARCH}", "setup.py"),
        _sign(
            "compute capability",
            rf"(?i)compute capability {ARCH} (?:is )?(?:not supported|unsupported|unknown)",
            "setup.py",
            SIGN,
        ),
        _sign("nsupported arch", r"(?i)unsupported arch(?:itecture)?[: ]+(?:sm_?)\d+", "setup.py", SIGN),
        _sign("none of the CUDA arch", None, "CMake of vllm", SIGN),
        _sign("TORCH_CUDA_ARCH_LIST", r"(?i)(?:no|none) of[^\n]{0,60}supported", "CMake of vllm", SIGN),
        _sign("Unknown architecture", r"(?i)Unknown architecture[: ]+(?:sm_?|compute_)?\d+", "setup.py", SIGN),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=_builds.AFTERMATH,
)
