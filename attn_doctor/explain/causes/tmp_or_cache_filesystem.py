"""The temporary folder or the cache lies where the install cannot work: another or a restricted file system.

Shows as "Invalid cross-device link" (errno 18), "failed to map segment from shared object" (noexec), "Read-only file
system", and the locks and stale handles of network file systems. Not for it: a full one (disk-full), and one that
belongs to somebody else (permission-denied).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds
from attn_doctor.explain.log import Log

CATEGORY = "tmp-or-cache-filesystem"
CROSS = ("cross-device", "WinError 17", "Errno 18", "os error 18", "EXDEV")
NOEXEC = ("failed to map segment", "Operation not permitted")
HARMLESS = ("falling back to full copy", "may lead to degraded performance")


def weigh(match: Match, _log: Log) -> Strength | None:
    return None if any(word in match.line.text for word in HARMLESS) else match.strength


def explain(match: Match, case: Case) -> str:
    text = match.line.text
    if any(word in text for word in CROSS):
        if case.log.has("flash"):
            return (
                "flash-attn's set-up downloads a wheel to its build folder and moves it into pip's cache by renaming; "
                "the two lie on different file systems, and there a file cannot be renamed."
            )
        return "A file is moved by renaming from the temporary folder to another file system, which cannot be done."
    if any(word in text for word in NOEXEC):
        return "A compiled file lies on a file system that is mounted noexec: nothing may be loaded from there."
    if "ead-only" in text:
        return "The folder lies on a file system that is mounted read-only: an image, or a disk after an error."
    if "usable temporary directory" in text:
        return "None of the temporary folders can be written: each is missing, full, or belongs to somebody else."
    return (
        "The folder lies on a network file system, where locks, links or deleting open files do not work as on a disk."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    text = match.line.text
    if any(word in text for word in CROSS):
        yield from _builds.instead_of_building(case)
        yield (
            "mkdir -p ~/.cache/tmp && TMPDIR=~/.cache/tmp pip install --no-build-isolation ...   (both on one file "
            "system)"
        )
        yield "pip install --no-cache-dir --no-build-isolation ...   (nothing is moved into a cache)"
    elif any(word in text for word in NOEXEC):
        yield "mkdir -p ~/tmp && export TMPDIR=~/tmp   (a folder that is not mounted noexec)"
        yield (
            "export TRITON_CACHE_DIR=~/.triton TORCHINDUCTOR_CACHE_DIR=~/.cache/inductor   (for what is compiled at "
            "run time)"
        )
    else:
        yield "export TMPDIR=/local/tmp PIP_CACHE_DIR=/local/pip UV_CACHE_DIR=/local/uv   (folders on a local disk)"
        yield "UV_LINK_MODE=copy uv pip install ...   (uv then makes no links into its cache)"
    yield "findmnt -T /tmp; findmnt -T ~/.cache   (which file system, and how it is mounted)"


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="The temporary folder or the cache lies on a file system that does not do",
    signs=(
        Sign("nvalid cross-device link", by="strerror(EXDEV): Python, Rust"),
        Sign("[Errno 18]", r"\[Errno 18\]", PROOF, "Python OSError"),
        Sign("[WinError 17]", by="Windows: cannot move to a different disk drive"),
        Sign("to a different disk drive", by="Windows error 17"),
        Sign("Ung\u00fcltiger Link \u00fcber Ger\u00e4tegrenzen", by="strerror(EXDEV) in German"),
        Sign("failed to map segment from shared object", by="glibc elf/dl-load.c, dl-map-segments.h: mounted noexec"),
        Sign("[Errno 30]", by="Python OSError: EROFS"),
        Sign("ead-only file system", by="strerror(EROFS)"),
        Sign("Dateisystem ist nur lesbar", by="strerror(EROFS) in German; older translations say this too"),
        Sign("No usable temporary", r"No usable temporary (?:directory|file)", PROOF, "CPython tempfile.py"),
        Sign("Stale file handle", None, SIGN, "strerror(ESTALE): NFS"),
        Sign("[Errno 37] No locks available", None, PROOF, "Python: NFS, Lustre"),
        Sign("No locks available (os error 37)", None, PROOF, "Rust: NFS, Lustre"),
        Sign("Device or resource busy: '", r"\.nfs", PROOF, "Python: NFS"),
        Sign("Operation not supported (os error 95)", None, SIGN, "Rust: no links on this file system"),
        Sign("Function not implemented (os error 38)", None, SIGN, "Rust: no locks on this file system"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("prebuilt-wheel-not-found-source-fallback",),
)
