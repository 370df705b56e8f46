"""Another libnccl is loaded than the one torch was linked with.

Shows as "undefined symbol: ncclCommRegister" (or another name that starts with nccl): the library that came first has
not got it. Not for it: a libnccl that is not found at all (cuda-libs-missing), time-outs of NCCL in a training run.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log

CATEGORY = "nccl-symbol-mismatch"


def weigh(match: Match, log: Log) -> Strength | None:
    return _loader.speaks_for(CATEGORY, match, log) if match.sign in _loader.UNDEFINED else match.strength


def explain(match: Match, _case: Case) -> str:
    found = _loader.undefined(match.line.text)
    what = found.symbol if found else "a function"
    return (
        f"{what} belongs to NCCL, and the libnccl.so.2 that was loaded does not have it: it is older than the one "
        "torch was linked with. It comes from LD_LIBRARY_PATH, from the system, or from a second nvidia-nccl package "
        "that wrote over torch's own."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield "unset LD_LIBRARY_PATH, then try again: torch brings its own NCCL"
    yield "pip list | grep -i nccl   (nvidia-nccl-cu12 and nvidia-nccl-cu13 write the same file: keep torch's)"
    yield f"{_mending.torch_anew(case)}   (brings the NCCL it demands)"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="Another NCCL is loaded than torch was linked with",
    signs=(
        *_loader.UNDEFINED,
        Sign("NCCL version mismatch", None, PROOF, "frameworks that compare ncclGetVersion"),
        Sign("NCCL library version mismatch", None, PROOF, "frameworks that compare ncclGetVersion"),
        Sign("libnccl.so.2: version `", None, SIGN, "glibc elf/dl-version.c"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("transformers-fa2-package-missing",),
)
