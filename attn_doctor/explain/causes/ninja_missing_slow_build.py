"""ninja is absent or does not run, and setuptools compiles one file after the other: hours instead of minutes.

torch's builder says so in one line and goes on, so that this is the cause only where nothing failed. Without ninja a
build just-in-time (torch.utils.cpp_extension.load) does not start at all: build-deps-missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.literal == "No module named 'ninja'":
        return PROOF if log.near(match.line, "bin/ninja", before=4) or "bin/ninja" in match.line.text else None
    if match.strength == HINT and len(log.lines) > FEW:
        return None
    return match.strength


FEW = 12


def fix(_match: Match, case: Case) -> Iterator[str]:
    pip = _commands.installer(case)
    yield f"{pip} --force-reinstall --no-deps ninja   (ninja --version then has to print a number)"
    yield from _builds.instead_of_building(case)
    if case.plan is None:
        yield _commands.again(case)


CAUSE = Cause(
    category="ninja-missing-slow-build",
    stage="build",
    title="ninja is missing or broken: the build runs on one core",
    signs=(
        Sign(
            "could not find ninja", r"Attempted to use ninja|could not find ninja", SIGN, "torch/utils/cpp_extension.py"
        ),
        Sign("using the slow distutils backend", None, SIGN, "torch/utils/cpp_extension.py"),
        Sign("No module named 'ninja'", None, PROOF, "the ninja script of the ninja package"),
        Sign("ninja: command not found", None, SIGN, "bash"),
        Sign("ninja: not found", None, SIGN, "sh"),
        Sign("'ninja' is not recognized", None, SIGN, "cmd.exe"),
        Sign("The term 'ninja' is not recognized", None, SIGN, "PowerShell"),
        Sign("No such file or directory: 'ninja'", None, SIGN, "Python: subprocess"),
        Sign("Command '['ninja', '--version']'", None, SIGN, "torch/utils/cpp_extension.py: is_ninja_available"),
        Sign("Make sure that ninja is installed", None, HINT, "README of flash-attn"),
        Sign("echo $?", r"ninja --version", HINT, "README of flash-attn"),
        Sign("without ninja", r"(?i)without ninja", HINT, "people"),
    ),
    explain=(
        "torch compiles extensions with ninja, several files at once. It found none that runs, and setuptools takes "
        "one file after the other on a single core: for flash-attn that is hours."
    ),
    fix=fix,
    weigh=weigh,
    leads_to=("build-hang-or-very-slow",),
)
