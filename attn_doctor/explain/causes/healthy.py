"""An installation or a build that succeeded, or a table that shows a working environment.

The last word counts: a success after which something went wrong is none. The tables are those of nvidia-smi,
xformers.info, torch's collect_env and pip check.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _trouble
from attn_doctor.explain.log import Log


def weigh(match: Match, log: Log) -> Strength | None:
    if _trouble.after(log, match.line):
        return None
    if match.strength == HINT and _trouble.lines(log):
        return None
    if "memory_efficient_attention" in match.line.text and not _mostly_available(log):
        return None
    return match.strength


def _mostly_available(log: Log) -> bool:
    """Whether xformers.info shows that the compiled operators are there: two of the families never all are."""
    for name in ("cutlassF", "cutlassB"):
        if log.matches(rf"(?m)memory_efficient_attention\.{name}[\w@.+-]*: +unavailable"):
            return False
    return True


def explain(match: Match, _case: Case) -> str:
    if match.strength == SIGN and "ucces" in match.line.text:
        return "The installation succeeded; nothing after it went wrong."
    return "Nothing in this log went wrong."


def fix(_match: Match, _case: Case) -> Iterator[str]:
    yield from ()


CAUSE = Cause(
    category="healthy",
    stage="none",
    title="Nothing is wrong here",
    signs=(
        Sign("Successfully installed ", strength=SIGN, by="pip"),
        Sign("Successfully built ", strength=SIGN, by="pip, build, docker"),
        Sign("No broken requirements found", strength=SIGN, by="pip check"),
        Sign("Installed ", r"^\s*Installed \d+ packages? in ", SIGN, by="uv"),
        Sign("All installed packages are compatible", strength=SIGN, by="uv pip check"),
        Sign("Audited ", r"^\s*Audited \d+ packages? in ", SIGN, by="uv"),
        Sign(" + ", r"^ \+ [\w.-]+==", SIGN, by="uv"),
        Sign("Executing transaction: ", r"Executing transaction: .{0,20}done", SIGN, by="conda"),
        Sign("Transaction finished", strength=SIGN, by="mamba"),
        Sign("# All requested packages already installed", strength=SIGN, by="conda"),
        Sign("• Installing ", r"^\s*[•-] (?:Installing|Updating) [\w.-]+ \(", HINT, by="poetry"),
        Sign("newly installed, ", r"\d{1,6} newly installed, \d{1,6} to remove", SIGN, by="apt"),
        Sign("Collecting environment information", strength=HINT, by="torch.utils.collect_env"),
        Sign("Finished processing dependencies for", strength=SIGN, by="setup.py install"),
        Sign("Requirement already satisfied", strength=HINT, by="pip"),
        Sign("Build files have been written to", strength=SIGN, by="cmake"),
        Sign("Built target", r"\[100%\] Built target", SIGN, by="make"),
        Sign("ninja: no work to do", strength=SIGN, by="ninja"),
        Sign("Successfully tagged", strength=SIGN, by="docker build"),
        Sign("naming to docker.io/", r"naming to docker\.io/\S+ (?:[\d.]+s )?done", SIGN, by="docker build"),
        Sign("Built ", r"^\s*Built [\w.-]+==\d", HINT, by="uv"),
        Sign("Created wheel for", strength=HINT, by="pip"),
        Sign(
            "memory_efficient_attention.",
            r"memory_efficient_attention\.cutlassF[\w@.+-]*: +available",
            SIGN,
            by="xformers.info",
        ),
        Sign("NVIDIA-SMI ", r"NVIDIA-SMI \d+[\d.]+ +(?:KMD Version: [\d.]+ +|Driver Version: )", HINT, by="nvidia-smi"),
        Sign(
            "passed",
            r"^=+ \d+ passed(?:, \d+ (?:skipped|warnings?|deselected|xfailed))*[^\n]{0,20} in [\d.]+s",
            SIGN,
            by="pytest",
        ),
        Sign(
            "CUDA",
            r"(?i)cuda(?:\.| is )?_?(?:is_)?available(?:\(\)|:)?\W{1,6}True\b",
            HINT,
            by="users, torch.utils.collect_env",
        ),
        Sign("Cuda compilation tools, release", strength=HINT, by="nvcc --version"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    changes_nothing=True,
)
