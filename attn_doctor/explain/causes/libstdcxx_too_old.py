"""The C++ library that is loaded is older than a compiled file needs.

Shows as "version `GLIBCXX_3.4.30' not found" or "CXXABI_1.3.15' not found": often not the system's copy is the old one
but that of a conda environment, or of a folder in LD_LIBRARY_PATH. Not for it: GLIBC_ (glibc-too-old).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader
from attn_doctor.explain.log import Log

CATEGORY = "libstdcxx-too-old"


def weigh(match: Match, log: Log) -> Strength | None:
    return _loader.speaks_for(CATEGORY, match, log) if match.sign in _loader.UNDEFINED else match.strength


def explain(match: Match, _case: Case) -> str:
    loaded = loaded_copy(match)
    where = f"{loaded}, the copy that was loaded," if loaded else "The libstdc++.so.6 that was loaded"
    return (
        f"{where} has no {match['needed'] or 'such version'}: it is older than the compiler that built the file. "
        f"{CONDA if loaded and 'conda' in loaded else OTHERS}"
    )


def loaded_copy(match: Match) -> str:
    """The path of the library that was found too old: it stands before ': version'."""
    before = match.line.text.partition(": version")[0].rsplit(" ", 1)[-1]
    return before if "libstdc++" in before else ""


CONDA = "It is the copy of a conda environment, which comes before the system's."
OTHERS = "What Python loads first stays: a newer copy elsewhere on the machine is not looked at."


def fix(match: Match, _case: Case) -> Iterator[str]:
    loaded = loaded_copy(match)
    if "conda" in loaded or "/envs/" in loaded:
        yield "conda install -c conda-forge libstdcxx-ng   (a newer copy in that environment)"
        yield "strings /usr/lib/x86_64-linux-gnu/libstdc++.so.6 | grep GLIBCXX | tail -1   (what the system's copy has)"
        return
    yield "strings $(gcc -print-file-name=libstdc++.so.6) | grep GLIBCXX | tail -1   (what the system's copy has)"
    yield "conda install -c conda-forge libstdcxx-ng, in a conda environment: brings a newer copy without root"
    yield "sudo apt-get install --only-upgrade libstdc++6, or a newer release of the distribution or container image"
    yield "unset LD_LIBRARY_PATH, where it names a folder with an old libstdc++.so.6"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="The C++ library (libstdc++) that is loaded is older than the file needs",
    signs=(
        Sign(
            "GLIBCXX_",
            r"(?P<needed>GLIBCXX_[\d.]+\d)\W{1,4}(?:not found|nicht gefunden|non trouv|no encontrad|non trovat)",
            by="glibc elf/dl-version.c: 'version `%s' not found (required by %s)', and ldd",
        ),
        Sign("CXXABI_", r"(?P<needed>CXXABI_[\d.]+\d)\W{1,4}not found", by="glibc elf/dl-version.c"),
        Sign("GLIBCXX_", r"(?:\u672a\u627e\u5230|not found)[^\n]{0,12}(?P<needed>GLIBCXX_[\d.]+\d)", by="translations"),
        *_loader.UNDEFINED,
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
