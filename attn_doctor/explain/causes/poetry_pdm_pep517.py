"""A set-up script imports torch, and poetry or PDM builds it in an environment without one.

Neither has a switch per command that every release knows: poetry isolates always, PDM takes settings. What poetry says
at the end ("likely not a problem with poetry") stands below every build that fails, so that it proves nothing alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log


def weigh(match: Match, log: Log) -> Strength | None:
    if "No module named" in match.sign.literal:
        return PROOF if _builds.isolating_tool(match.line, log) in ("poetry", "pdm") else None
    if match.strength == SIGN and log.has("nvcc", "cl.exe", "ninja: ", "gcc", "g++"):
        return HINT  # it got as far as compiling: what failed there is the cause
    return match.strength


def fix(_match: Match, case: Case) -> Iterator[str]:
    one = case.plan
    moves_torch = one is not None and any(change.package == "torch" for change in one.changes)
    if one is not None and one.wheel is not None and one.wheel.url and not moves_torch:
        add = "pdm add" if _pdm(case) else "poetry add"
        yield f"{add} '{one.wheel.url.replace('+', '%2B')}'   ({one.title}: nothing is compiled)"
    else:
        yield from _builds.a_wheel(case)
    package = case.package or "flash-attn"
    if _pdm(case):
        yield f"pdm add torch, and then: pdm add --no-isolation {_commands.subject(case)}"
        return
    yield f"poetry add torch, and then: poetry run pip install --no-build-isolation {_commands.subject(case)}"
    yield f"keep {package} out of pyproject.toml then: poetry would build it in isolation again"


def _pdm(case: Case) -> bool:
    return any(word in case.log.text for word in _builds.PDM)


CAUSE = Cause(
    category="poetry-pdm-pep517",
    stage="build",
    title="The build cannot see torch: poetry and PDM build in an environment of their own",
    signs=(
        Sign("No module named 'torch'", by="Python: ModuleNotFoundError"),
        Sign("No module named torch", by="Python 2 wording"),
        Sign("Module 'torch' is", r"Module 'torch' is\b", by="pdm/builders/base.py: build_error"),
        Sign("ChefBuildError", None, SIGN, by="poetry/installation/chef.py, 1.3 to 1.8"),
        Sign("PEP517 build of", r"PEP517 build of (?:a dependency|\S+)", SIGN, by="poetry/utils/isolated_build.py"),
        Sign("likely not a problem with poetry", None, SIGN, by="poetry/installation/executor.py"),
        Sign("not supporting PEP 517 builds", None, SIGN, by="poetry/utils/isolated_build.py"),
        Sign("Backend subprocess exited when trying to invoke", None, SIGN, by="build/_exceptions.py, under poetry"),
        Sign("Unable to determine package info for path", None, SIGN, by="poetry/inspection/info.py"),
        Sign("BuildError: Build backend raised error", None, SIGN, by="pdm/builders/base.py"),
        Sign("Install ", r"[x✖] Install (?:flash[-_]attn|xformers|sageattention)\b.{0,40} failed", SIGN, by="pdm"),
    ),
    explain=(
        "The package's set-up imports torch, and poetry and PDM run it in a fresh environment that holds only what the "
        "package declares. That torch is among your dependencies does not count there."
    ),
    fix=fix,
    weigh=weigh,
    leads_to=_builds.AFTERMATH,
)
