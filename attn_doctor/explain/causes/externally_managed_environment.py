"""The Python belongs to the distribution, and pip refuses to write into it (PEP 668).

Shows as pip's and uv's words about an externally managed environment. Not for it: a folder without write permission
(permission-denied).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign
from attn_doctor.explain.causes import _mending


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield f"{_mending.VENV}   (where it fails: sudo apt-get install python3-venv)"
    yield "uv venv && . .venv/bin/activate   (the same with uv, with or without a Python of its own)"
    package = case.package
    if package:
        yield f"then install torch there first, and {package} after it: attn-doctor install --venv .venv"
    yield (
        "--break-system-packages does what it says: it mixes pip's files with those of the distribution, whose own "
        "tools then stop working. In a container that runs nothing else a virtual environment is as quick"
    )


CAUSE = Cause(
    category="externally-managed-environment",
    stage="install",
    title="The system's Python refuses pip: it belongs to the distribution",
    signs=(
        Sign("externally-managed-environment", by="pip/_internal/exceptions.py: ExternallyManagedEnvironment"),
        Sign("This environment is externally managed", by="pip/_internal/exceptions.py"),
        Sign(
            " is externally managed", r"[Ii]nterpreter at|and indicates the following|virtual environment", PROOF, "uv"
        ),
        Sign("EXTERNALLY-MANAGED", None, SIGN, "the marker file of PEP 668"),
        Sign("--break-system-packages", r"by passing|override", SIGN, "pip's note, alone"),
    ),
    explain=(
        "This Python came with the distribution, whose packages own its folder, and a marker file there asks pip to "
        "stay out (PEP 668). Nothing is broken: packages of your own belong into a virtual environment."
    ),
    fix=fix,
    leads_to=("permission-denied", "build-deps-missing"),
)
