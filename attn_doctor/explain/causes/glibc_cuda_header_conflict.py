"""glibc and the CUDA toolkit's crt/math_functions.h declare the same functions differently: every compile stops.

glibc 2.41 brought cospi and sinpi, 2.42 rsqrt, with an exception specification that CUDA's older headers lack. gcc has
no part in it: another one changes nothing. Other functions with the same message are a sign only.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import build_hazards
from attn_doctor.knowledge.versions import major, numbers

FUNCTION = r"(?P<function>(?:cos|sin|tan|acos|asin|atan|atan2)pi[fl]?|rsqrt[fl]?)\b"


def weigh(match: Match, log: Log) -> Strength | None:
    if match.strength == PROOF:
        return PROOF
    return SIGN if log.has("mathcalls", "math_functions", "bits/", "/crt/") or "__float128" in match.line.text else None


def _row(match: Match) -> build_hazards.GlibcMath | None:
    """The row of that function; the newest where it is not in the table."""
    rows = build_hazards.clashing("99")
    name = (match["function"] or "").rstrip("f")
    return next((row for row in rows if name in row.functions), rows[-1] if rows else None)


def explain(match: Match, _case: Case) -> str:
    row = _row(match)
    if row is None:
        return "The C library's headers and those of the CUDA toolkit declare the same functions differently."
    name = match["function"] or " and ".join(row.functions)
    return (
        f"glibc {row.glibc} and later declare {name} with an exception specification, the headers of CUDA before "
        f"{row.cuda_before} without: no file compiles. Another gcc does not help, since both headers stay."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    row, torch = _row(match), _commands.torch_cuda(case)
    yield from _builds.a_wheel(case)
    if row and torch and major(torch) == major(row.cuda_before):
        yield from _commands.toolkit(case, max(torch, row.cuda_before, key=numbers))
    elif row:
        yield f"a toolkit of CUDA {row.cuda_before} or later, together with a torch for CUDA {major(row.cuda_before)}"
    yield "or build where glibc is older: attn-doctor docker --dockerfile writes an image for this machine"
    yield (
        "conda's own compiler brings older headers: conda install -c conda-forge gxx_linux-64 sysroot_linux-64 "
        "(do not edit /usr/include)"
    )


CAUSE = Cause(
    category="glibc-cuda-header-conflict",
    stage="build",
    title="The C library is newer than the CUDA toolkit's headers agree with",
    signs=(
        Sign("xception spec", rf"xception specifi\w+[^\n]{{0,160}}?{FUNCTION}", PROOF, "nvcc: exception specification"),
        Sign("xception spec", rf"{FUNCTION}[^\n]{{0,160}}?xception specifi", PROOF, "gcc, clang"),
        Sign("noexcept", rf"{FUNCTION}[^\n]{{0,120}}(?:different exception|conflicts)", PROOF, "gcc"),
        Sign("exception specification is incompatible", None, SIGN, "nvcc"),
        Sign("has a different exception specifier", None, SIGN, "gcc"),
        Sign('"__float128"', r"identifier \"__float128\" is undefined", SIGN, "nvcc before 9 on glibc 2.26"),
        Sign("mathcalls", rf"bits/mathcalls[^\n]{{0,200}}error[^\n]{{0,160}}{FUNCTION}", PROOF, "nvcc"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "cuda-home-malformed", "source-incompatible-torch-api"),
)
