"""A compile, or a download, that is silent for hours, and is working all the same; or was cut off by a time limit.

pip hides what setup.py prints, and shows a turning bar. Nothing failed: any line that says so is another cause. A build
that the kernel ended is build-oom-killed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Line, Log, compiled
from attn_doctor.explain.outcome import BAD

TAIL = 4
# after which nothing is left to be done
DONE = r"\bdone\b|finished with status|\berror\b|Successfully|Created wheel"


def weigh(match: Match, log: Log) -> Strength | None:
    if match.strength == PROOF:
        return PROOF if _builds.compiling(match.line, log) else None
    if log.matches(f"(?m){BAD}") or _last_done(log) > log.position(match.line):
        return None
    if match.strength == SIGN:
        return SIGN if _builds.compiling(match.line, log) else None
    return HINT if match.line in _last_written(log) else None


@lru_cache(maxsize=4)
def _last_done(log: Log) -> int:
    """Where the last line stands after which nothing is left to be done; -1 where there is none."""
    done = compiled(DONE)
    places = range(len(log.lines) - 1, -1, -1)
    return next((place for place in places if done.search(log.lines[place].text)), -1)


@lru_cache(maxsize=4)
def _last_written(log: Log) -> tuple[Line, ...]:
    """The last lines that hold anything."""
    return tuple(islice((line for line in reversed(log.lines) if line.text.strip()), TAIL))


def explain(match: Match, case: Case) -> str:
    if match.strength == PROOF:
        return (
            "The build was still at work when a time limit ended it. Compiling flash-attn takes from a quarter of an "
            "hour to many hours, by cores and memory."
        )
    one = case.planned(case.backend, "source")
    takes = (
        f" Here it would take about {one.build.minutes[0]} to {one.build.minutes[1]} minutes."
        if one and one.build
        else ""
    )
    return (
        "Nothing failed in what is shown: the package is being compiled, and pip hides the compiler's output, so that "
        f"it looks as if it hung.{takes}"
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    if case.windows:
        yield "the Task Manager shows cicc.exe, ptxas.exe and cl.exe while it works; without them it does hang"
    else:
        yield "ps -eo pid,etime,rss,comm | grep -E 'cicc|ptxas|cc1plus|ninja'   (lines that change: it works)"
    yield from _builds.instead_of_building(case)
    if case.plan is None:
        yield _builds.or_search(case)
    yield f"{_commands.again(case)} -v   (-v shows what is compiled; without ninja one core does it all)"


CAUSE = Cause(
    category="build-hang-or-very-slow",
    stage="build",
    title="The build is at work and silent, or ran into a time limit",
    signs=(
        Sign("Building wheel", r"Building wheels? for ", HINT, "pip"),
        Sign("Building wheel", r"still running\.\.\.", SIGN, "pip without a terminal"),
        Sign("still running...", None, SIGN, "pip without a terminal"),
        Sign("Preparing metadata", r"still running|(?:\.\.\.|\)) ?[|/\\-]?$", HINT, "pip"),
        Sign("Installing build dependencies", r"(?:still running|\.\.\. ?[|/\\-]?$)", HINT, "pip"),
        Sign("Guessing wheel URL", None, HINT, "flash-attn setup.py"),
        Sign("Building ", r"^\s*(?:[⠀-⣿] )?Building [\w.-]+(?:==|$| @)", HINT, "uv"),
        Sign("Running setup.py install for", None, HINT, "pip before 23"),
        Sign("Running setup.py bdist_wheel for", None, HINT, "pip before 19"),
        Sign("] ", r"^\s*\[\d+/\d+\] [^\n]{0,60}(?:nvcc|c\+\+|g\+\+)", HINT, "ninja"),
        Sign("running build_ext", None, HINT, "setuptools"),
        Sign("Compiling objects...", None, HINT, "torch/utils/cpp_extension.py"),
        Sign("exceeded the maximum execution time", None, PROOF, "GitHub Actions"),
        Sign("execution took longer than", None, PROOF, "GitLab runner"),
        Sign("DUE TO TIME LIMIT", None, PROOF, "Slurm"),
        Sign("context deadline exceeded", None, PROOF, "docker build"),
        Sign("timed out after", r"(?i)timed out after \d+ (?:seconds|minutes|hours)", PROOF, "subprocess, CI"),
        Sign("The operation was canceled", None, SIGN, "GitHub Actions"),
        Sign(
            "stuck",
            r"(?i)\bstuck\b[^\n]{0,60}(?:build|compil|install|wheel)|(?:build|compil|install|wheel)[^\n]{0,60}\bstuck\b",
            SIGN,
            "people",
        ),
        Sign(
            "forever",
            r"(?i)(?:build|compil|install|wheel)[^\n]{0,80}forever|forever[^\n]{0,80}(?:build|compil|install|wheel)",
            SIGN,
            "people",
        ),
        Sign(
            " hours",
            r"(?i)(?:build|compil|install|wheel)[^\n]{0,80}\d hours|\d hours[^\n]{0,80}(?:build|compil|install)",
            SIGN,
            "people",
        ),
        Sign(" hang", r"(?i)(?:build|compil|install|wheel)[^\n]{0,80}\bhang(?:s|ing)?\b", SIGN, "people"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
