"""The folder of a submodule is empty: cutlass (cute), flash-attention in xformers, composable_kernel.

A ZIP of GitHub holds no submodules, a clone without --recursive none either. `error: pathspec 'csrc/cutlass'` and
`fatal: not a git repository` are no signs: setup.py of a release archive prints them and goes on. A submodule that git
could not fetch is git-source-problem.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands, _headers
from attn_doctor.explain.log import Log


def weigh(match: Match, log: Log) -> Strength | None:
    if "does not contain a CMakeLists" in match.sign.literal:
        return (
            PROOF if log.near(match.line, "third_party", "3rdparty", "cutlass", "submodule", "csrc", before=6) else None
        )
    return match.strength


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield from _builds.a_wheel(case)
    yield "git submodule update --init --recursive   (in the checkout; a ZIP from GitHub can never have them)"
    if case.package in (None, "flash-attn"):
        yield f"{_commands.installer(case)} --no-build-isolation flash-attn   (the release archive has cutlass inside)"
    else:
        yield "without a checkout: git clone --recursive URL"


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="cutlass-submodule-missing",
    stage="build",
    title="A submodule is missing: the folder of cutlass is empty",
    signs=(
        _sign("csrc/cutlass is missing", None, "flash-attn setup.py, 2.6 and later"),
        _sign("csrc/composable_kernel is missing", None, "flash-attn setup.py, 2.6 and later"),
        _sign("CUTLASS submodule not found", None, "xformers setup.py"),
        _sign(
            "submodule not found", r"(?i)(?:flash-?attention|cutlass|\w{1,60}) submodule not found", "xformers setup.py"
        ),
        _sign(
            "git submodule update",
            r"(?i)(?:did you (?:forget|run)|please run|need to run|run)[^\n]{0,40}git submodule update",
            "setup.py",
        ),
        _headers.missing("cutlass/", r"cutlass/[\w./]+", PROOF, "gcc, clang, MSVC, nvcc"),
        _headers.missing("cute/", r"cute/[\w./]+", PROOF, "gcc, clang, MSVC, nvcc"),
        _headers.missing("cutlass.h", r"cutlass\.h", PROOF, "gcc, clang, MSVC, nvcc"),
        _headers.missing("ck_tile/", r"ck_tile/[\w./]+", PROOF, "hipcc"),
        _sign("does not contain a CMakeLists.txt", None, "CMake: add_subdirectory"),
        _sign("csrc/cutlass", r"No such file or directory: '[^']{0,200}csrc/cutlass", "Python"),
        _sign(
            "third_party/", r"No such file or directory: '[^']{0,200}third_party/(?:cutlass|flash-attention)", "Python"
        ),
    ),
    explain=(
        "The sources need cutlass's headers, and the folder that should hold them is empty. They are a git submodule: "
        "a ZIP or tar from GitHub leaves it out, and so does a clone without --recursive."
    ),
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "windows-msvc-build", "source-incompatible-torch-api"),
)
