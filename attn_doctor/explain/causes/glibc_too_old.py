"""The C library of this system is older than a compiled file needs.

Shows as "version `GLIBC_2.32' not found (required by ...)"; resolvers say it as a manylinux tag or __glibc. Not for it:
GLIBCXX_ and CXXABI_, which are the C++ library (libstdcxx-too-old).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log
from attn_doctor.knowledge.versions import numbers

CATEGORY = "glibc-too-old"


def weigh(match: Match, log: Log) -> Strength | None:
    return _loader.speaks_for(CATEGORY, match, log) if match.sign in _loader.UNDEFINED else match.strength


def explain(match: Match, case: Case) -> str:
    needed = match["needed"]
    machine = case.machine
    libc = machine.libc if machine is not None else None
    older = libc is not None and needed is not None and numbers(libc.version) < numbers(needed)
    have = f"; this system has {libc.family} {libc.version}" if libc and older else ""
    what = f"glibc {needed}" if needed else "a newer glibc"
    return (
        f"The file was built on a newer distribution and needs {what}{have}. The C library belongs to the system: no "
        "pip package brings another, and putting a newer one in place by hand breaks the system."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    package = _mending.name(case)
    found = _mending.for_old_glibc(case, package)
    if found is not None:
        yield f"{found}   (built on an older distribution)"
    elif package in _mending.CATALOGUED:
        yield f"attn-doctor wheels {package}   (look for a manylinux file: its name says which glibc it needs)"
    yield f"{_mending.again(package)}   (compiles it on this system; needs nvcc and hours)"
    needed = match["needed"]
    yield f"or a container or release of the distribution with glibc {needed or 'as new as the file needs'} or later"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="The system's C library (glibc) is older than the file needs",
    signs=(
        Sign(
            "GLIBC_2.",
            r"GLIBC_(?P<needed>2\.\d{1,2}(?:\.\d+)?)\W{1,4}(?:not found|nicht gefunden|non trouv|no encontrad"
            r"|non trovat"
            r"|\u672a\u627e\u5230|\u304c\u898b\u3064\u304b\u308a|\u043d\u0435 \u043d\u0430\u0439\u0434)",
            PROOF,
            "glibc elf/dl-version.c: 'version `%s' not found (required by %s)'",
        ),
        Sign(
            "GLIBC_2.",
            r"(?:\u672a\u627e\u5230|not found|\u627e\u4e0d\u5230)[^\n]{0,12}GLIBC_(?P<needed>2\.\d{1,2})",
            PROOF,
            "translations of glibc, and ldd",
        ),
        Sign(
            "__glibc", r"__glibc >=(?P<needed>2\.\d+)[^\n]{0,80}(?:needed|requires|missing|not|nothing)", SIGN, "conda"
        ),
        Sign(
            "__glibc", r"(?:nothing provides|requires|depends on)[^\n]{0,40}__glibc >=(?P<needed>2\.\d+)", SIGN, "conda"
        ),
        *_loader.UNDEFINED,
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("transformers-fa2-package-missing", "transformers-fa-api-mismatch"),
)
