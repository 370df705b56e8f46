"""Visual C++ is missing, not set up, or does not compile or link what is written for gcc.

nvcc on Windows needs cl.exe on PATH, from the x64 Native Tools prompt. Headers of cutlass or of the CUDA toolkit that
cl does not find are causes of their own; so are a Visual Studio that is too new for nvcc, and paths that are too long.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands, _headers
from attn_doctor.explain.log import Log

WITH_2022 = "2022"
PROMPT = "in the x64 Native Tools Command Prompt for VS 2022:"


def weigh(match: Match, log: Log) -> Strength | None:
    if "CMAKE_C" in match.sign.literal and not _builds.on_windows(log):
        return None
    if "codec can't decode" in match.sign.literal:
        return PROOF if log.near(match.line, "cpp_extension", "setuptools", "'cl'", before=25) else None
    if match.strength in (SIGN, HINT) and not _builds.compiling(match.line, log) and len(log.lines) > FEW:
        return None
    return match.strength


FEW = 4


def explain(match: Match, _case: Case) -> str:
    if match["oldest"]:
        return (
            f"nvcc looked for a Visual Studio of {match['oldest']} to {match['newest']}, the releases that it takes, "
            "and found none: there is none, or only an older or newer one. -allow-unsupported-compiler does not help."
        )
    if "required" in match.sign.by or "cl.exe" in match.sign.by:
        return (
            "The package is compiled on your machine, and nvcc and Python's builder call Visual C++'s cl.exe, which is "
            "not installed or not on PATH. It comes with Visual Studio's Build Tools."
        )
    if "link" in match.sign.by:
        return "Visual C++ compiled, and its linker does not find everything: a library of another version or bitness."
    return (
        "Visual C++ does not compile the sources as they are: most CUDA extensions are written for gcc on Linux, and "
        "tried on Windows by few."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    yield from _commands.no_compiler_needed(case)
    if "VC env" in match.sign.by:
        yield "set DISTUTILS_USE_SDK=1   (in the same prompt, then the build again)"
        return
    if match["newest"] and match["newest"] < WITH_2022:
        yield "a newer CUDA toolkit of the same major (newer ones take a newer Visual Studio), and CUDA_HOME set to it"
        yield f"or the Build Tools of {match['newest']} beside the newer ones, and the build from their x64 prompt"
        return
    if match.strength == PROOF or "cl.exe" in match.sign.by:
        yield (
            'winget install Microsoft.VisualStudio.2022.BuildTools --override "--wait --add '
            'Microsoft.VisualStudio.Workload.VCTools --includeRecommended"'
        )
    yield f"{PROMPT} set DISTUTILS_USE_SDK=1 && {_windows_again(case)}"
    yield "or build and run it in WSL 2 (Linux files of upstream fit there; the driver stays that of Windows)"


def _windows_again(case: Case) -> str:
    return f"pip install --no-build-isolation {_commands.subject(case)}"


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="windows-msvc-build",
    stage="build",
    title="Visual C++ is missing, or does not build this",
    signs=(
        _sign(
            "Microsoft Visual C++",
            r"Microsoft Visual C\+\+ \d+(?:\.\d+)? (?:or greater )?is required",
            "required: setuptools",
        ),
        _sign("Unable to find vcvarsall.bat", None, "required: distutils"),
        _sign("Unable to find a compatible Visual Studio", None, "required: setuptools/msvc.py"),
        _sign("'where', 'cl'", None, "cl.exe: torch/utils/cpp_extension.py"),
        _sign("Error checking compiler version for cl", None, "cl.exe: torch/utils/cpp_extension.py", SIGN),
        _sign("MSVC is required to load C++ extensions", None, "cl.exe: torch/utils/cpp_extension.py"),
        _sign("Cannot find compiler 'cl.exe' in PATH", None, "cl.exe: nvcc"),
        _sign(
            "cannot find a supported version of Microsoft Visual Studio",
            r"of Microsoft Visual Studio(?:[^\n]{0,60} between (?P<oldest>\d{4}) and (?P<newest>\d{4}))?",
            "cl.exe: nvcc",
        ),
        _sign("'cl.exe'", r"nvcc fatal[^\n]{0,60}'cl\.exe'", "cl.exe: nvcc, in any wording"),
        _sign(
            "'cl' ",
            r"'cl(?:\.exe)?' (?:is not recognized|不是内部|n.est pas|no se reconoce|ist entweder)",
            "cl.exe: cmd.exe",
        ),
        _sign(
            "'cl'", r"(?:No such file|cannot find the file)[^\n]{0,40}'cl'|The term 'cl'", "cl.exe: PowerShell, Python"
        ),
        _sign("DISTUTILS_USE_SDK is not set", None, "VC env: torch/utils/cpp_extension.py"),
        _sign("could not find any instance of Visual Studio", None, "required: CMake"),
        _sign("Running 'nmake'", r"failed with", "required: CMake"),
        _sign("No CMAKE_CXX_COMPILER could be found", None, "required: CMake"),
        _sign("No CMAKE_C_COMPILER could be found", None, "required: CMake"),
        _sign("CMAKE_CXX_COMPILER not set, after EnableLanguage", None, "required: CMake"),
        _sign("CMAKE_C_COMPILER not set, after EnableLanguage", None, "required: CMake"),
        _sign("No CUDA toolset found", None, "CMake: Visual Studio integration of CUDA"),
        _sign("LNK1158", None, "required: link: rc.exe of the Windows SDK"),
        _sign("LNK1104", r"LNK1104[^\n]{0,80}(?:python3\d*t?|kernel32|msvcrt|ucrt|c10|torch\w*)(?:_d)?\.lib", "link"),
        _sign("LNK1181", r"LNK1181[^\n]{0,80}(?:python3\d*t?|aten|c10|torch\w*|kernel32)\.lib", "link"),
        _sign("LNK1189", None, "link: more than 65535 symbols"),
        _sign("LNK2001", None, "link", SIGN),
        _sign("LNK2019", None, "link", SIGN),
        _sign("LNK1120", None, "link", SIGN),
        _sign("LNK1112", None, "link: another architecture"),
        _headers.missing("corecrt", r"corecrt\w*\.h", PROOF, "required: MSVC without the Windows SDK"),
        _sign(
            "C1083",
            r"C1083\b[^\n]{0,80}['\"](?:io|stddef|stdio|stdlib|string|float|assert|crtdbg|windows|basetsd|inttypes|unistd|dlfcn)\.h['\"]|C1083\b[^\n]{0,80}['\"](?:cstddef|algorithm|utility)['\"]",
            "required: MSVC",
        ),
        _sign("error C", r"(?<![\w])(?:fatal )?error C(?!1083|1060|1002|1076|1189|2039)\d{4}\b", "MSVC", SIGN),
        _sign("C1189", r"fatal error C1189", "MSVC: #error", HINT),
        _sign("codec can't decode", None, "required: MSVC in another language"),
        _sign("cl.exe", r"cl\.exe['\"]? failed with exit (?:code|status)", "setuptools", HINT),
        _sign("nvcc.exe", r"nvcc\.exe['\"]?\)? failed with exit (?:code|status)", "setuptools", HINT),
        _sign("link.exe", r"link\.exe['\"]? failed with exit (?:code|status)", "link: setuptools", SIGN),
        _sign("CreateProcess failed", None, "ninja on Windows", HINT),
        _sign("CreateProcess: ", r"ninja: (?:fatal|error): CreateProcess", "ninja on Windows", SIGN),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=_builds.AFTERMATH,
)
