"""A set-up script imports torch, and uv builds it in an environment without one.

uv always isolates, and resolves by building: so uv lock, uv sync and uv add fail alike, also where torch is installed.
Its hint names the package (crates/uv-build-frontend/src/error.rs). Another module than torch is build-deps-missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log

PROJECT = ("uv sync", "uv add", "uv lock", "uv run", "pyproject.toml", "was included because", "Failed to add")
# packages whose set-up imports torch: where uv's report is cut off before the reason, that is what it was
IMPORT_TORCH = (
    *("flash-attn", "flash_attn", "xformers", "mamba-ssm", "causal-conv1d", "sageattention", "torch-scatter", "apex"),
    *("torch-sparse", "torch-cluster", "deepspeed", "pytorch3d", "detectron2", "natten", "gptqmodel", "auto-gptq"),
    *("grouped-gemm", "transformer-engine", "vllm-flash-attn"),
)


REASON = r"(?m)^[ \t]*(?:[\w.]*(?:Error|Exception)\b(?::|$)|error: (?!Failed|Git operation)\S|\S+: fatal error)"


def weigh(match: Match, log: Log) -> Strength | None:
    if "No module named" in match.sign.literal:
        return PROOF if _builds.isolating_tool(match.line, log) == "uv" else None
    if match.strength is PROOF:
        return PROOF
    if log.has("No module named", "Error: ", "error: ") and not _cut(log):
        return None  # the reason is said, and another cause reads it
    if log.has("--no-build-isolation"):
        return None  # torch was there to be seen: something else that set-up imports is not
    return SIGN if log.has(*IMPORT_TORCH) else HINT


def _cut(log: Log) -> bool:
    """Whether uv's report ends before the reason: no line of an exception after the traceback."""
    return log.matches(REASON) is None


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield from _builds.a_wheel(case)
    package = case.package or "flash-attn"
    if any(words in case.log.text for words in PROJECT):
        yield (
            f'in pyproject.toml: [tool.uv.extra-build-dependencies] {package} = [{{ requirement = "torch", '
            f"match-runtime = true }}], then uv sync (uv 0.8 or later)"
        )
        yield (
            f'or, with any uv: [tool.uv] no-build-isolation-package = ["{package}"], then in two steps: '
            f"uv sync --no-install-package {package} && uv sync"
        )
        return
    yield "uv pip install torch setuptools wheel packaging psutil ninja"
    yield f"uv pip install --no-build-isolation {_commands.subject(case)}"


CAUSE = Cause(
    category="uv-build-isolation",
    stage="build",
    title="The build cannot see torch: uv builds in an environment of its own",
    signs=(
        Sign("No module named 'torch'", by="Python: ModuleNotFoundError"),
        Sign("No module named torch", by="Python 2 wording"),
        Sign(
            "declare it as a build dependency",
            r"depends on `?torch`?, but doesn't",
            by="uv, uv-build-frontend/src/error.rs: MissingLibrary::BuildDependency",
        ),
        Sign("Build backend failed to determine", r"`|exit", SIGN, by="uv before 0.5, uv-build/src/lib.rs"),
        Sign("get_requires_for_build_wheel` failed", None, SIGN, by="uv 0.5 and later: Call to `...` failed"),
        Sign("get_requires_for_build_editable` failed", None, SIGN, by="uv 0.5 and later"),
        Sign("prepare_metadata_for_build_wheel` failed", None, SIGN, by="uv 0.5 and later"),
        Sign("The build backend returned an error", None, SIGN, by="uv-build-frontend/src/error.rs: BuildBackend"),
    ),
    explain=(
        "The package's set-up imports torch, and uv runs it in a fresh environment that holds only what the package "
        "declares. That torch is in your environment, or in the same uv command, does not count there."
    ),
    fix=fix,
    weigh=weigh,
    leads_to=_builds.AFTERMATH,
)
