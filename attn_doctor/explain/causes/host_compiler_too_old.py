"""The C++ compiler does not know the standard, or the library headers, that torch's headers need.

torch says so itself (c10/util/C++17.h), else the compiler refuses -std=, or lacks <concepts>, <span> and their like.
A package that asks for too low a standard of a compiler that could do more is cxx-standard-mismatch-torch.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands, _headers
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import build_hazards

STANDARD = r"-std=(?:c|gnu)\+\+(?P<standard>1[1478]|1z|2[0-9ab])"
UNRECOGNIZED = (
    r"(?:unrecogni[sz]ed command[- ]line option|invalid value|unbekannte Kommandozeilenoption|nicht erkannte"
    r"|option de la ligne de commande non reconnue|no se reconoce la opción|无法识别的命令行选项"
    r"|コマンドラインオプション"
    r"|нераспознанный параметр|unknown argument)"
)
# of C++17 and C++20, as gcc looks for them
LONG_NAMES = (
    *("concepts", "compare", "ranges", "source_location", "numbers", "charconv", "filesystem", "optional", "variant"),
    *("string_view", "memory_resource", "semaphore", "barrier", "format", "version", "coroutine"),
)
SHORT_NAMES = ("any", "span", "bit", "latch")
# on a command line, and not in a remark of the compiler's
ASKED_FOR = r"(?<=[^\u00ab]\s)-std=c\+\+2[0ab](?=\s+[^\u00bb\s])"


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.literal == "or later compatible compiler":
        # the standard was asked for, and the compiler has only a part of it
        return PROOF if log.matches(ASKED_FOR) and log.has("C++20 or later") else None
    if match.strength == SIGN and not _builds.compiling(match.line, log):
        return None
    return match.strength


def explain(match: Match, case: Case) -> str:
    have = match["have"] or case.said.get("gcc")
    standard = (
        f"C++{match['standard']}" if match["standard"] else "the C++ standard that torch's headers are written in"
    )
    return (
        f"{'The C++ compiler' if not have else 'g++ ' + have} is too old: it cannot do {standard}. The compiler that "
        "counts is the one of CXX, else the first g++ on PATH."
    )


def _needed(match: Match, case: Case) -> str:
    if match["least"]:
        return match["least"]
    torch = case.machine.torch.version if case.machine and case.machine.torch else None
    row = build_hazards.host_gcc(torch) if torch else None
    newest = build_hazards.host_gcc("99")
    return (row or newest).gcc if (row or newest) else "11"  # type: ignore[union-attr]


def fix(match: Match, case: Case) -> Iterator[str]:
    yield from _builds.a_wheel(case)
    if case.windows:
        yield "Visual Studio Build Tools of a later year, with the workload Desktop development with C++"
        return
    needed = _needed(match, case)
    yield (
        f"sudo apt install g++-{needed}   (RHEL, Rocky: sudo dnf install gcc-toolset-{needed} && scl enable "
        f"gcc-toolset-{needed} bash; without root: conda install -c conda-forge gxx_linux-64={needed})"
    )
    yield _commands.again(case, CC=f"gcc-{needed}", CXX=f"g++-{needed}")


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="host-compiler-too-old",
    stage="build",
    title="The C++ compiler is too old for torch's headers",
    signs=(
        _sign(
            "less than the minimum required version by CUDA",
            r"version of \S+ \((?P<have>[\d.]+)\) is less",
            "torch/utils/cpp_extension.py: _check_cuda_version",
        ),
        _sign("is less", r"version of \S+ \((?P<have>[\d.]+)\) is less$", "the same, wrapped"),
        _sign("with a too old version of GCC", r"of GCC(?:\. We need GCC (?P<least>\d+))?", "c10/util/C++17.h"),
        _sign("with a too old version of Clang", None, "c10/util/C++17.h"),
        _sign("-std=", rf"{UNRECOGNIZED}[^\n]{{0,20}}{STANDARD}", "gcc, clang"),
        _sign("-std=", rf"{STANDARD}[^\n]{{0,12}}{UNRECOGNIZED}", "gcc in Japanese and Spanish"),
        _sign("is not supported with the configured host compiler", rf"{STANDARD}", "nvcc"),
        _sign("or later compatible compiler", None, "ATen/ATen.h"),
        _sign(
            "may be ABI-incompatible with PyTorch",
            r"compiler \((?P<have>[^)]+)\)",
            "torch/utils/cpp_extension.py",
            SIGN,
        ),
        _sign("Unsupported compiler -- at least C++11", None, "setup.py of pybind11 packages"),
        _sign("requires compiler and library support for the ISO C++ 2011", None, "libstdc++ bits/c++0x_warning.h"),
        _sign("does not know the compile flags to use to enable it", None, "CMake"),
        _sign("ignoring unknown option '/std:c++", None, "MSVC", SIGN),
        _sign("error: command-line option", r"-std=c\+\+2\w[^\n]{0,20}not (?:valid|supported)", "gcc"),
        *(_headers.missing(name, name, PROOF, "gcc, clang") for name in LONG_NAMES),
        *(_headers.missing(f": {name}:", name, PROOF, "gcc") for name in SHORT_NAMES),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "cxx-standard-mismatch-torch", "source-incompatible-torch-api"),
)
