"""A path is longer than the 260 characters that Windows takes where nothing else is set.

git ("Filename too long"), pip (its hint about Long Path support), cl, link, ninja and CMake all run into it. Linux says
"File name too long", and means a single name.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds
from attn_doctor.explain.log import Log


def weigh(match: Match, log: Log) -> Strength | None:
    if match.strength == SIGN and not _builds.on_windows(log):
        return None
    return match.strength


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield "git config --global core.longpaths true"
    yield (
        "in an elevated PowerShell: New-ItemProperty -Path HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem -Name "
        "LongPathsEnabled -Value 1 -PropertyType DWORD -Force, then a new terminal"
    )
    yield "or shorter paths: checkout and environment in C:\\s, and $env:TMP = $env:TEMP = 'C:\\t' for pip's builds"
    yield from _builds.a_wheel(case)


CAUSE = Cause(
    category="windows-long-path",
    stage="build",
    title="A path is longer than Windows allows",
    signs=(
        Sign("Filename too long", None, PROOF, "git on Windows"),
        Sign("Windows Long Path", r"(?i)Windows Long Path support", PROOF, "pip/_internal/commands/install.py"),
        Sign("enable-long-paths", None, PROOF, "pip/_internal/commands/install.py"),
        Sign("[WinError 206]", None, PROOF, "Python on Windows, in any language"),
        Sign("filename or extension is too long", r"(?i)filename or extension is too long", PROOF, "Windows"),
        Sign("(os error 206)", None, PROOF, "uv, cargo"),
        Sign("Filename longer than", None, PROOF, "ninja: GetFileAttributesEx"),
        Sign("exceeds the OS max path limit", None, PROOF, "MSBuild MSB3491"),
        Sign("path, file name, or both are too long", r"(?i)path, file name, or both are too long", PROOF, ".NET"),
        Sign("maximum full path to an object file", None, PROOF, "CMake: CMAKE_OBJECT_PATH_MAX"),
        Sign("fatal error C1081", None, PROOF, "MSVC: file name too long"),
        Sign("No such file or directory: '", r"directory: '[A-Za-z]:\\\\?[^'\n]{225,}'", PROOF, "pip, Python"),
        Sign("ommand line is too long", None, SIGN, "cmd.exe"),
        Sign("input line is too long", None, SIGN, "cmd.exe"),
        Sign("ath too long", r"(?i)\bpath too long\b", SIGN, "archivers"),
    ),
    explain=(
        "Windows takes paths of up to 260 characters where long paths are not switched on, and the sources lie deeper "
        "than that below the folder at hand."
    ),
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "git-source-problem", "cutlass-submodule-missing", "windows-msvc-build"),
)
