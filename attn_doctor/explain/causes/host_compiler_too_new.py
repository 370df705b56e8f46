"""The C++ compiler is newer than this nvcc takes, or its headers hold what nvcc's front end cannot read.

Besides the plain refusal in crt/host_config.h: gcc 11's std_function.h ("parameter packs not expanded") and the
intrinsics of gcc 11 and later ("__builtin_ia32_") under an older nvcc, and MSVC's STL1002. -allow-unsupported-compiler
silences the check, and the second kind of error follows.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import cuda

# errors inside the standard library that the user's own types bring about
OWN_FAULT = ("static assertion", "static_assert", "no instance of", "exception specification", "c++20", "C++20")


def weigh(match: Match, log: Log) -> Strength | None:
    if match.strength == SIGN and any(words in match.line.text for words in OWN_FAULT):
        return None
    if match.strength == HINT and not _builds.compiling(match.line, log):
        return None
    return match.strength


def _newest(match: Match, case: Case) -> str | None:
    """The newest major that nvcc takes: as it says itself, else by its version."""
    if match["newest"]:
        return match["newest"]
    nvcc = match["nvcc"] or case.said.get("nvcc")
    limit = cuda.max_gcc(nvcc) if nvcc else None
    return str(limit) if limit else None


def explain(match: Match, case: Case) -> str:
    compiler = "Visual C++" if case.windows or "Visual" in match.sign.literal else "gcc"
    newest = _newest(match, case)
    have = match["have"] or case.said.get("gcc")
    limit = f": {compiler} {newest} is the newest that it does" if newest and not case.windows else ""
    who = f"{compiler} {have}" if have else f"the installed {compiler}"
    return (
        f"nvcc hands the host code to {who}, and does not take so new a one{limit}. -allow-unsupported-compiler only "
        "silences the check; what it guards against comes right after."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    yield from _builds.a_wheel(case)
    if case.windows or "Visual" in match.sign.literal or "STL1002" in match.sign.literal:
        yield "a newer CUDA toolkit of torch's major, which takes this Visual Studio"
        yield (
            "or an older toolset beside it: Visual Studio Installer, Individual components, MSVC build tools; then in "
            "its prompt: vcvarsall.bat x64 -vcvars_ver=VERSION"
        )
        return
    newest = _newest(match, case)
    if newest:
        yield f"sudo apt install g++-{newest}   (or: conda install -c conda-forge gxx_linux-64={newest})"
        yield _commands.again(case, CC=f"gcc-{newest}", CXX=f"g++-{newest}")
    else:
        yield "an older gcc beside the new one, named for this build alone: CC=gcc-N CXX=g++-N before the command"
    if wanted := _commands.wanted_cuda(case):
        yield from _commands.toolkit(case, wanted)


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="host-compiler-too-new",
    stage="build",
    title="The C++ compiler is newer than this nvcc takes",
    signs=(
        _sign(
            "gcc versions later than", r"later than (?P<newest>\d+)(?:\.\d+)? are not supported", "crt/host_config.h"
        ),
        _sign("unsupported GNU version", None, "crt/host_config.h"),
        _sign("unsupported clang version", None, "crt/host_config.h"),
        _sign("unsupported Microsoft Visual Studio version", None, "crt/host_config.h"),
        _sign("unsupported Intel ICX compiler", None, "crt/host_config.h"),
        _sign("unsupported ICC configuration", None, "crt/host_config.h"),
        _sign(
            "greater than the maximum required version by CUDA",
            r"version of \S+ \((?P<have>[\d.]+)\) is greater[^\n]{0,40} by CUDA (?P<nvcc>[\d.]+\d)",
            "torch/utils/cpp_extension.py: _check_cuda_version",
        ),
        _sign("STL1002", r"STL1002[^\n]{0,60}CUDA", "MSVC yvals_core.h"),
        _sign(
            "parameter packs not expanded", r"std_function\.h|parameter packs not expanded", "gcc 11 under nvcc 11.4"
        ),
        _sign("__builtin_ia32_", r"identifier \"__builtin_ia32_\w+\" is undefined", "nvcc on gcc's intrinsics"),
        _sign("intrin.h(", r"lib/gcc/[^\n]{0,120}/include/\w+intrin\.h\(\d+\): error", "nvcc on gcc's intrinsics"),
        _sign('"_Float32', r"identifier \"_Float(?:32|64|128)x?\" is undefined", "nvcc on glibc and gcc 13"),
        _sign("__bf16", r"c\+\+[^\n]{0,80}\(\d+\): error: identifier \"__bf16\"", "nvcc on gcc 13"),
        _sign("/c++/", r"/c\+\+/\d+(?:\.\d+)*/[\w./+-]+\(\d+\): error", "nvcc on libstdc++", SIGN),
        _sign("cudafe++' died with status 0xC0000005", None, "nvcc on MSVC's headers", SIGN),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(
        *_builds.AFTERMATH,
        *("windows-msvc-build", "source-incompatible-torch-api", "cxx-standard-mismatch-torch", "cuda-home-malformed"),
    ),
)
