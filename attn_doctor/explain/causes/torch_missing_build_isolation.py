"""A set-up script imports torch, and pip runs it in an environment without one.

flash-attn, xformers, mamba-ssm and their like import torch at the top of setup.py; PEP 517 isolates builds by default.
Without isolation the same line means that torch is not installed at all (build-deps-missing); from a program of the
user's it says nothing about a build.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log
from attn_doctor.judgement import commands

# frames of a traceback that a set-up script leads to
SETUP_FRAMES = ("setup.py", '"<string>"', "build_meta", "pip-setuptools-caller", "pyproject_hooks", "in_process")


# packages whose set-up imports torch before anything else
IMPORTERS = (
    r"(?i)\b(?:flash[-_]attn|mamba[-_]ssm|causal[-_]conv1d|xformers|sageattention|apex|torch[-_]scatter|natten)\b"
)
ENDED = r"(?m)^\s*[\w.]*(?:Error|Exception|Exit)\b(?::|$)|(?i:\berror\b: (?!subprocess-exited|metadata-gen))"


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign in CUT:
        untold = log.matches(IMPORTERS) and not log.matches(ENDED) and not _builds.without_isolation(match.line, log)
        return HINT if untold else None
    tool = _builds.isolating_tool(match.line, log)
    if tool in ("uv", "poetry", "pdm"):
        return None  # causes of their own: the way out is written otherwise
    if tool == "pip":
        return PROOF
    if _builds.without_isolation(match.line, log) or "specification for" in match.line.text:
        return None
    if from_a_program(match, log) or "/python" in match.line.text:
        return None
    if _builds.during_a_build(match.line, log):
        return PROOF if log.has("egg_info", "pip-setuptools-caller", "Preparing metadata") else SIGN
    return HINT


def from_a_program(match: Match, log: Log) -> bool:
    """Whether the last frame above the line is of a program and not of a set-up script."""
    frames = [line.text for line in log.around(match.line, before=6) if line.text.lstrip().startswith("File ")]
    return bool(frames) and not any(words in frames[-1] for words in SETUP_FRAMES)


def explain(match: Match, case: Case) -> str:
    if match.sign in CUT:
        return (
            "The log breaks off before the error itself. At this point of this package it is mostly that its set-up "
            "imports torch, which is not there in the fresh environment that pip builds in."
        )
    if case.log.has("pip-setuptools-caller", "egg_info did not run") and not case.log.has("pip-build-env"):
        return (
            "The package's setup.py imports torch, and torch was not there when pip asked it for metadata. pip does "
            "that for every package of a command before it installs any, so torch has to come in a command before it."
        )
    return (
        "The package's set-up imports torch, and pip runs it in a fresh environment that holds only what the package "
        "declares. That torch is installed outside does not count there."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield from _builds.a_wheel(case)
    machine = case.machine
    torch = None if machine is None or machine.torch else commands.any_torch(machine)
    if torch or machine is None:
        yield f"{torch or _commands.installer(case) + ' torch'}   (first, and in a command of its own)"
    yield f"{_commands.installer(case)} packaging psutil ninja setuptools wheel"
    yield _commands.again(case)


CUT = (
    Sign("in get_requires_for_build_wheel", r"pip-build-env", HINT, "pip: a traceback of an isolated build, cut off"),
    Sign("Getting requirements to build wheel ... error", None, HINT, "pip: an isolated build, cut off"),
)
CAUSE = Cause(
    category="torch-missing-build-isolation",
    stage="build",
    title="The build cannot see torch: pip builds in an environment of its own",
    signs=(
        Sign("No module named 'torch'", by="Python: ModuleNotFoundError"),
        Sign("No module named torch", by="Python 2 wording, and `python -m`"),
        Sign("PyTorch being installed, please install PyTorch first", by="auto-gptq and autoawq setup.py"),
        Sign("without torch installed. Please install torch before", by="DeepSpeed setup.py: pre-compile ops"),
        *CUT,
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=_builds.AFTERMATH,
)
