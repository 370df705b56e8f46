"""nvcc is older than the package takes, or than the options and headers that it uses.

Often it is the distribution's nvcc in /usr/bin that stands before a newer one. nvcc that does not know an architecture
is nvcc-arch-unsupported; another major than torch's is cuda-toolkit-torch-mismatch; a driver that is too old is no
matter of the build.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands, _headers
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import nvcc_features
from attn_doctor.knowledge.versions import major_minor, numbers


def weigh(match: Match, log: Log) -> Strength | None:
    if "riton" in match.line.text or (match.strength == SIGN and not _builds.compiling(match.line, log)):
        return None
    return match.strength


def least(match: Match) -> str | None:
    """The CUDA that the message asks for, or that first has what it misses."""
    if match["least"]:
        return major_minor(match["least"])
    feature = match["feature"] or match["header"]
    return nvcc_features.first_cuda(feature) if feature else None


def explain(match: Match, case: Case) -> str:
    needed, have = least(match), case.said.get("nvcc")
    who = "The package" if match["least"] else f"The build ({match['feature'] or match['header'] or 'its sources'})"
    wants = f"{who} needs nvcc {needed} or later" if needed else f"{who} needs a newer nvcc"
    found = f", and nvcc is {have}" if have and (not needed or numbers(have) < numbers(needed)) else ""
    return (
        f"{wants}{found}. What counts is the nvcc of CUDA_HOME, else the first on PATH: the distribution's, in "
        "/usr/bin, is often older than one in /usr/local. What nvidia-smi prints is the driver's limit and no toolkit."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    needed = least(match)
    yield from _builds.a_wheel(case)
    if not case.windows:
        yield "ls -d /usr/local/cuda-*; nvcc -V   (a newer one is there? then: export CUDA_HOME to it)"
    yield from _commands.toolkit(case, _commands.wanted_cuda(case, needed))
    if case.log.has("/usr/bin/nvcc", "nvidia-cuda-toolkit"):
        yield "sudo apt remove nvidia-cuda-toolkit   (it shadows the newer one)"


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="cuda-toolkit-too-old",
    stage="build",
    title="The CUDA toolkit is older than the package takes",
    signs=(
        _sign(
            "supported on CUDA",
            r"supported on CUDA (?P<least>\d+(?:\.\d+)?) (?:and|or) (?:above|later|newer)",
            "setup.py",
        ),
        _sign(
            "or higher is required", r"CUDA (?P<least>\d+\.\d+) or higher is required", "sageattention, vllm setup.py"
        ),
        _sign("requires CUDA", r"requires CUDAa? (?:version )?(?:>= ?)?(?P<least>\d+\.\d+)", "setup.py", SIGN),
        _sign(
            "requires CUDA", r"requires CUDA (?P<least>\d+\.\d+) or (?:newer|later|higher|above)", "transformer-engine"
        ),
        _sign("NVCC version should be", r">= ?(?P<least>\d+\.\d+)", "DeepGEMM jit"),
        _sign("CUDA version must be", r"(?:>=|at least) ?(?P<least>\d+\.\d+)", "setup.py"),
        _sign("CUDA versions below", r"below (?P<least>\d+\.\d+)", "setup.py"),
        _sign("is not defined for option 'std'", r"Value '(?P<feature>c\+\+\d\d)'", "nvcc"),
        _sign(
            "Unknown option",
            r"nvcc fatal[^\n]{0,20}Unknown option '-{0,2}"
            r"(?P<feature>std=c\+\+\d\d|threads|generate-dependencies-with-compile)",
            "nvcc",
        ),
        _sign('requires the language dialect "CUDA', r'dialect "CUDA(?P<feature>\d\d)"', "CMake"),
        _sign("requires PTX ISA .version", None, "ptxas", SIGN),
        _sign("Unsupported .version", r"ptxas[^\n]{0,80}current version is", "ptxas", SIGN),
        _headers.missing("cuda_fp", r"cuda_fp[468]\.hp{0,2}", PROOF, "gcc, nvcc"),
        _headers.missing("cuda_bf16", r"cuda_bf16\.hp{0,2}", PROOF, "gcc, nvcc"),
        _sign(
            "is undefined",
            r"identifier \"(?P<feature>CUtensorMap\w*|CU_TENSOR_MAP\w*|__nv_fp8_\w+|__nv_fp4_\w+)\"",
            "nvcc",
            SIGN,
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "nvcc-arch-unsupported", "cuda-headers-incomplete"),
)
