"""ARM64 Linux (GH200, Grace, DGX Spark, Jetson, Graviton): the index has files for x86_64 only.

Shows as the words of an index without a fitting file, on an ARM machine. Not for it: an x86_64 wheel that somebody
picked by hand (wheel-platform-mismatch), Macs (macos-no-cuda).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _index, _mending
from attn_doctor.explain.causes.no_matching_distribution import NOWHERE
from attn_doctor.explain.log import Log

CATEGORY = _index.ARM


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign in NOWHERE:
        return match.strength if _index.verdict(match.line.text, log) == CATEGORY else None
    return match.strength


def explain(match: Match, case: Case) -> str:
    name = _index.wanted(match.line.text)[0] or _mending.name(case)
    return (
        f"This is ARM64 Linux, and {name} has no file for it where it was looked for. Most projects publish for x86_64 "
        "first; an x86_64 file does not run here, whatever its name."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    name = _index.wanted(match.line.text)[0]
    yield from _builds.instead_of_building(case)
    if name in ("torch", "torchvision", "torchaudio"):
        yield from _mending.torch_for(case)
        yield (
            "pip install torch --index-url https://download.pytorch.org/whl/cu130   (the newer indexes have aarch64 "
            "files)"
        )
    else:
        package = name.replace("_", "-") or _mending.name(case)
        yield f"attn-doctor wheels {package} --platform linux_aarch64   (the files for ARM that are published)"
        yield f"pip install --no-build-isolation {package}   (compiles it here: sources have no architecture)"
    yield "or NVIDIA's PyTorch container for ARM (nvcr.io/nvidia/pytorch), which brings torch and flash-attn compiled"


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="No wheel for ARM64 Linux",
    signs=(
        *NOWHERE,
        Sign(
            "linux_aarch64.whl", r"(?:404|[Nn]ot found|could not|Could not|does not exist)", SIGN, "downloads by name"
        ),
        Sign(
            "aarch64",
            r"(?i)\b(?:pre-?built|provide|release|add)\b[^\n]{0,60}\bwheels?\b[^\n]{0,80}aarch64",
            HINT,
            "prose",
        ),
        Sign(
            "aarch64",
            r"(?i)\b(?:no|not any|without|lack\w{0,4}"
            r"|missing)\b[^\n]{0,60}\b(?:pre-?built )?wheels?\b[^\n]{0,60}aarch64",
            SIGN,
            "prose",
        ),
        Sign(
            "aarch64",
            r"(?i)aarch64[^\n]{0,60}\b(?:no|not available|without|unsupported|not supported)\b[^\n]{0,40}(?:wheel"
            r"|torch|cuda)?",
            HINT,
            "prose",
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
