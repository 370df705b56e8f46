"""A package that was installed brought another torch with it, and broke what was built for the one before.

Shows in the installer's own transcript: "Found existing installation: torch 2.8.0" with another torch among what was
installed, uv's - and + lines, poetry's and conda's arrows, and pip's "requires torch==..., but you have". Not for it: a
torch that was moved on purpose, by name; the same version written anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _mending
from attn_doctor.explain.log import Log

CATEGORY = "torch-swapped-by-dependency"
OWN_CAUSE = ("torchvision", "torchaudio", "xformers")  # what `pip check` says of them
ON_PURPOSE = r"(?:pip3?|uv pip) install (?:-\S+ |--\S+ )*(?:-U |--upgrade |--force-reinstall )*['\"]?torch\b(?![-\w])"
NEW = (
    ("Successfully installed", r"\btorch-(?P<new>\d[\w.+]*)"),
    ("torch==", r"^\s*\+ torch==(?P<new>\d[\w.+]*)"),
    ("torch-", r"(?:Downloading|Using cached|Obtaining dependency)[^\n]{0,200}?\btorch-(?P<new>\d+\.\d+[\w.+%]*?)-cp3"),
    ("torch==", r"^(?:Collecting|Requirement already)[^\n]{0,20} torch==(?P<new>\d[\w.+]*)"),
)


INSTALLING = ("Attempting uninstall", "Installing collected packages", "Collecting ", "Found existing installation")


def new_torch(log: Log) -> str | None:
    """The torch that an installer brought, as its transcript says."""
    for literal, pattern in NEW:
        found = [match["new"] for _, match in log.find(literal, pattern) if match]
        if found:
            return str(found[-1]).replace("%2B", "+")
    return None


def weigh(match: Match, log: Log) -> Strength | None:
    if " has requirement " in match.line.text and any(name in match.line.text for name in OWN_CAUSE):
        return None
    old = match["old"]
    if old is None:
        return match.strength
    new = match["new"] or new_torch(log)
    if new is not None and _same(old, new):
        return None
    if log.matches(ON_PURPOSE):
        return None
    if new is None and "Successfully uninstalled" in match.line.text and not log.has(*INSTALLING):
        return None  # somebody took it away; nothing brought another
    return match.strength if new else HINT


def _same(old: str, new: str) -> bool:
    return old == new or (old.partition("+")[0] == new.partition("+")[0] and "+" not in new + old)


def explain(match: Match, case: Case) -> str:
    old, new = match["old"], match["new"] or new_torch(case.log)
    if match["wants"]:
        package = " ".join(match.line.text.partition(" requires ")[0].partition(" has requirement ")[0].split()[-2:])
        return (
            f"{package} is for torch {match['wants']}, and torch {match['have']} is there now: a package that was "
            "installed moved torch. What was compiled for the other one no longer loads."
        )
    moved = (
        f"torch {old} was replaced by {new}"
        if old and new
        else f"torch {old} was taken away"
        if old
        else "torch was replaced"
    )
    return (
        f"{moved} by an install that was about something else: a dependency asks for a torch of its own. What was "
        "compiled for the one before (flash-attn, torchvision, xformers) no longer loads."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    old = (match["old"] or "").strip()
    machine = _mending.has_torch(case)
    if old:
        from attn_doctor.knowledge import torch_builds

        variant = old.partition("+")[2]
        index = f" --index-url {torch_builds.INDEX}{variant}" if variant else ""
        yield (
            f"attn-doctor rollback, or {_mending.pip(case)} torch=={old}{index}   (back to the torch that everything "
            "was built for)"
        )
    yield (
        "pip install --no-deps PACKAGE, or with a line torch==VERSION in a file given by -c   (torch then stays where "
        "it is)"
    )
    if machine is not None and not old:
        yield from _mending.anew(case)
    yield "pip check   (names everything that now asks for another torch)"


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="Another package replaced torch",
    signs=(
        Sign(
            "Found existing installation: torch ", r"installation: torch (?P<old>\d\S*)", SIGN, "pip req_uninstall.py"
        ),
        Sign("Uninstalling torch-", r"Uninstalling torch-(?P<old>\d[\w.+]*\w)", SIGN, "pip req_uninstall.py"),
        Sign("Successfully uninstalled torch-", r"uninstalled torch-(?P<old>\d\S*)", SIGN, "pip req_uninstall.py"),
        Sign("- torch==", r"^\s*- torch==(?P<old>\d\S*)", SIGN, "uv: changelog"),
        Sign(
            " torch (", r"(?:Updating|Downgrading) torch \((?P<old>\d\S*) -> (?P<new>\d\S*)\)", SIGN, "poetry: executor"
        ),
        Sign(" --> ", r"\b(?:py)?torch +(?P<old>\d[\w.]*)\S* --> (?P<new>\d[\w.]*)", SIGN, "conda: revised packages"),
        Sign(
            "but you have torch ",
            r" requires torch(?P<wants>[<>=!~][^\s;]{1,40}), but you have torch (?P<have>\S+) which",
            SIGN,
            "pip/_internal/commands/install.py: conflicts after an install",
        ),
        Sign(
            "but you'll have torch ",
            r" (?:requires|has requirement) torch(?P<wants>[<>=!~][^\s;]{1,40}), but you'll have torch (?P<have>\S+)",
            SIGN,
            "pip 9 to 20.2: pip/_internal/commands/install.py",
        ),
        Sign(
            " has requirement torch",
            r" has requirement torch(?P<wants>[<>=!~]\S{1,40}), but you have torch (?P<have>\S+)\.",
            SIGN,
            "pip check",
        ),
        Sign(
            "torch",
            r"(?i)\b(?:downgrad\w{0,4}|uninstall\w{0,4}|overwr\w{1,6}|replac\w{1,4}|revert\w{0,4} to) "
            r"(?:(?:my|the|your|our|existing|installed|current|working|version of) ){0,4}[`'\"]?(?:py)?torch\b",
            HINT,
            "prose",
        ),
        Sign(
            "torch",
            r"(?i)\b(?:py)?torch\b[^\n]{0,40}\b(?:got|gets|was|is being|is) (?:downgraded|replaced|overwritten"
            r"|uninstalled)",
            HINT,
            "prose",
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(
        *(
            "torchvision-mismatch",
            "abi-undefined-symbol-torch-version",
            "cxx11-abi-mismatch",
            "windows-dll-load-failed",
        ),
        *("libcudart-missing-major-mismatch", "xformers-torch-mismatch", "cpu-only-torch", "cuda-libs-missing"),
        *("nccl-symbol-mismatch", "cudnn-version-mismatch", "triton-broken-build"),
    ),
)
