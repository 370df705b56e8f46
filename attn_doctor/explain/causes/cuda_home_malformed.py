"""CUDA_HOME, CUDA_PATH or the toolkit's path is set, and there is no nvcc where it leads.

A leading colon is what `export CUDA_HOME=$CUDA_HOME:/usr/local/cuda` makes; /bin at the end doubles it; /usr/local/cuda
is torch's guess where that folder exists, also when it holds libraries only. No path at all is nvcc-missing-cuda-home.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log

# of a traceback that runs nvcc
RUNS_NVCC = ("bare_metal", "nvcc", "cuda_dir", "get_cuda_version")


def weigh(match: Match, log: Log) -> Strength | None:
    if _builds.on_macos(log):
        return None
    if "WinError" in match.sign.literal or "is not in list" in match.sign.literal:
        return PROOF if log.near(match.line, *RUNS_NVCC, before=25) and not log.has("'where', 'cl'") else None
    if "existing compiler tool" in match.sign.literal:
        return PROOF if log.near(match.line, "CMAKE_CUDA_COMPILER", "nvcc", before=6) else None
    return match.strength


def _path(match: Match) -> str:
    return (match["path"] or "").replace("\\\\", "\\")


def explain(match: Match, _case: Case) -> str:
    path = _path(match)
    if path.startswith((":", ";")):
        return (
            f"The path {path} starts with a colon: CUDA_HOME was set as PATH is, by appending. CUDA_HOME is one folder "
            "and no list."
        )
    if re.search(r"[\\/]bin[\\/](?:nvcc[\\/])?bin[\\/]", path):
        return (
            f"CUDA_HOME leads to bin, and the build looks for bin/nvcc below it: {path}. It has to be the folder above."
        )
    if path:
        return (
            f"The build takes the CUDA toolkit from a folder that has no nvcc: {path} is not there. CUDA_HOME (or the "
            "guess /usr/local/cuda) names a toolkit that is not installed, or only a runtime without its compiler."
        )
    return "The folder that CUDA_HOME or CUDA_PATH names holds no CUDA compiler that works."


def fix(match: Match, case: Case) -> Iterator[str]:
    path = _path(match)
    meant = re.sub(r"[\\/]bin[\\/](?:nvcc[\\/])?bin[\\/].*$", "", path.lstrip(":;"))
    meant = re.sub(r"[\\/]bin[\\/]nvcc(?:\.exe)?$", "", meant)
    if path and (path[0] in ":;" or meant.count("/") + 2 < path.count("/") or "bin/bin" in path):
        yield f"{_commands.variables(case, CUDA_HOME=meant)}   (and take the other out of the shell's start-up file)"
    elif case.windows:
        yield "where.exe nvcc   (CUDA_HOME is the folder above bin; without any nvcc install the toolkit)"
    else:
        yield "ls -d /usr/local/cuda*/bin/nvcc; command -v nvcc   (CUDA_HOME is the folder above bin)"
    yield from _builds.a_wheel(case)
    yield from _commands.toolkit(case, _commands.wanted_cuda(case))


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


NVCC = r"(?P<path>[^'\"\s][^'\"]{0,300}?[\\/]nvcc(?:\.exe)?)"

CAUSE = Cause(
    category="cuda-home-malformed",
    stage="build",
    title="CUDA_HOME leads to a folder without nvcc",
    signs=(
        _sign("No such file or directory: '", rf"directory: '{NVCC}'", "Python: subprocess"),
        _sign("Not a directory: '", rf"Not a directory: '{NVCC}'", "Python: subprocess"),
        _sign("nvcc not found at '", rf"not found at '{NVCC}'", "torch/utils/cpp_extension.py, 2.6 and later"),
        _sign("nvcc: not found", r"(?P<path>[:\w.+/-]{0,200}/nvcc): not found", "sh"),
        _sign("nvcc: No such file", r"(?P<path>[:\w.+/-]{0,200}/nvcc): No such file", "bash"),
        _sign(
            "nvcc: ",
            r"(?P<path>[:\w.+/-]{0,200}/nvcc): (?:Datei oder|Aucun fichier|没有那个|Нет такого|No existe)",
            "bash",
        ),
        _sign("[WinError 2]", None, "Python on Windows: subprocess"),
        _sign("[WinError 3]", None, "Python on Windows: subprocess"),
        _sign("'release' is not in list", None, "flash-attn setup.py: what ran is no nvcc"),
        _sign("is not a full path to an existing compiler tool", None, "CMake"),
        _sign("Couldn't find CUDA library root", None, "CMake: CMakeDetermineCUDACompiler", SIGN),
        _sign("executable in path specified by", r"nvcc", "CMake 3.31: FindCUDAToolkit"),
        _sign("The CUDA compiler identification is unknown", None, "CMake", SIGN),
        _sign("FindCUDA says CUDA version is", r"but the CUDA headers say", "Caffe2 public/cuda.cmake"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "nvcc-missing-cuda-home", "arch-list-invalid"),
)
