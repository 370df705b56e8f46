"""The package passes a lower -std= than torch's headers demand: C++14 against C++17, C++17 against C++20.

The compiler could do more; the flag is fixed in setup.py and wins. A compiler that refuses the higher standard is
host-compiler-too-old.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import attention

# on a command line, and not in a remark of the compiler's
ASKED_FOR = r"(?<=[^\u00ab]\s)-std=c\+\+2[0ab](?=\s+[^\u00bb\s])"
# members of std that came with C++17 and C++20
NEWER = (
    r"(?:optional|variant|string_view|is_same_v|remove_cvref\w*|bit_cast|span|apply|in_place|integral|same_as"
    r"|\w+_ordering)"
)
OF_TORCH = ("torch/include", "c10/", "ATen/", "torch\\include")


def weigh(match: Match, log: Log) -> Strength | None:
    if "or later compatible" in match.sign.literal and log.matches(ASKED_FOR) and log.has("C++20 or later"):
        return SIGN  # the standard was asked for: the compiler is too old for it
    if match.sign.literal.startswith("-std="):
        return _patch(match, log)
    if match.strength in (SIGN, HINT):
        return match.strength if log.near(match.line, *OF_TORCH, before=8) or _of_torch(match) else None
    return match.strength


def _of_torch(match: Match) -> bool:
    return any(folder in match.line.text for folder in OF_TORCH)


def _patch(match: Match, log: Log) -> Strength | None:
    """A difference between two versions of setup.py that raises the standard."""
    raised = log.matches(r"(?m)^[ \t]*\+[^\n]{0,200}std=c\+\+(?:17|20)")
    return SIGN if raised and match.line.text.lstrip().startswith("-") else None


def explain(match: Match, case: Case) -> str:
    torch = case.said.get("torch")
    whose = f"torch {torch}" if torch else "this torch"
    wanted = f"C++{match['standard']}" if match["standard"] else "a later C++ standard"
    return (
        f"The headers of {whose} demand {wanted}, and the package's setup.py asks the compiler for an earlier one. A "
        "newer compiler does not help: the flag is fixed in the package, and wins over CXXFLAGS."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield from _builds.a_wheel(case)
    if case.package in (None, "flash-attn"):
        row = attention.source_build("flash-attn", "2")
        yield f"a torch before {row.max_torch_excluded}: up to there the releases of flash-attn compile"
        yield (
            f"{_commands.installer(case)} --no-build-isolation git+https://github.com/Dao-AILab/flash-attention   "
            "(its main branch takes the standard from torch)"
        )
    else:
        yield f"a newer release or the main branch of {case.package}; else raise -std= in its setup.py"
    yield "NVCC_APPEND_FLAGS and CXXFLAGS do not mend it: the later -std= of setup.py wins"


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="cxx-standard-mismatch-torch",
    stage="build",
    title="The package is compiled with a lower C++ standard than torch's headers demand",
    signs=(
        _sign(
            "or later compatible compiler is required", r"C\+\+(?P<standard>\d\d) or later", "ATen/ATen.h, torch/all.h"
        ),
        _sign("to compile PyTorch", r"You need C\+\+(?P<standard>\d\d) to compile PyTorch", "c10/util/C++17.h"),
        _sign("compatible compiler is required to use", r"C\+\+(?P<standard>\d\d)", "the same, wrapped"),
        _sign("only available with", r"only available with ['\u2018\"]?-std=c\+\+(?P<standard>\d\d)", "gcc", HINT),
        _sign("is a C++", r"is a C\+\+(?P<standard>17|20) extension", "clang", HINT),
        _sign(
            "has no member",
            rf"namespace \"std\" has no member \"{NEWER}",
            "nvcc",
            SIGN,
        ),
        _sign(
            "is not a member of",
            rf"['\u2018]{NEWER}['\u2019] is not a member of ['\u2018]std",
            "gcc",
            SIGN,
        ),
        _sign("-std=c++", r"^\s*-[^\n]{0,200}std=c\+\+1[147]", "a patch", SIGN),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "source-incompatible-torch-api", "windows-msvc-build", "host-compiler-too-new"),
)
