"""An extension needs the CUDA runtime of another major than torch brings: libcudart.so.11.0, .12 or .13 is missing.

A compiled file names the runtime it was linked with, and torch loads only its own. Not for it: cuBLAS, cuDNN and the
like (cuda-libs-missing), -lcudart at link time (cuda-headers-incomplete), what TensorFlow says of itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log

CATEGORY = "libcudart-missing-major-mismatch"


COMPANIONS = ("libtorchaudio", "torchvision/", "xFormers was built for")


def weigh(match: Match, log: Log) -> Strength | None:
    if log.near(match.line, *COMPANIONS, before=60, after=60):
        return None  # they have causes of their own, which say more
    if match.sign.literal != _loader.MISSING.literal:
        return None if "dso_loader" in match.line.text else match.strength
    library = _loader.missing_library(match.line.text)
    if library is None or not library.startswith("libcudart."):
        return None
    return match.strength


def wanted(match: Match) -> str:
    """The CUDA major whose runtime is missing."""
    library = _loader.missing_library(match.line.text) or f"libcudart.so.{match['major']}"
    return library.partition(".so.")[2].split(".")[0]


def cuda_of_torch(case: Case) -> str | None:
    """'12.8', where torch is known."""
    machine = _mending.has_torch(case)
    return machine.torch.cuda if machine and machine.torch else None


def explain(match: Match, case: Case) -> str:
    need, have = wanted(match), cuda_of_torch(case)
    if have and have.split(".")[0] == need:
        return (
            f"The extension was compiled for CUDA {need}, as {_mending.torch(case)} is, and the runtime is not found "
            f"all the same: torch was not imported before it, or the package nvidia-cuda-runtime-cu{need} is not there."
        )
    own = f", and {_mending.torch(case)} brings CUDA {have}" if have else ", and torch brings another major (or none)"
    return (
        f"The extension was compiled for CUDA {need}{own}. An extension and its torch must be of one major: linking or "
        "copying a libcudart of another one only moves the crash."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    need, have = wanted(match), cuda_of_torch(case)
    if have and have.split(".")[0] == need:
        yield "import torch first, then the extension: torch loads the runtime"
        yield f"{_mending.torch_anew(case)}   (with its dependencies: the runtime is one of them)"
        return
    yield (
        'python -c "import torch; print(torch.__version__, torch.version.cuda)"   (the CUDA that the file must be for)'
    )
    yield from _mending.anew(case)


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="The extension was built for another CUDA major than torch's",
    signs=(
        _loader.MISSING,
        Sign("libcudart.so.", r"libcudart\.so\.(?P<major>\d+)[\d.]* => not found", PROOF, "ldd"),
        Sign(
            "libcudart.so.",
            r"libcudart\.so\.(?P<major>\d+)[\d.]*['\"`]?:? (?:not found|is missing|cannot be found|missing)",
            SIGN,
            "how people quote it",
        ),
        Sign(
            "libcudart.so.",
            r"version `libcudart\.so\.(?P<major>\d+)[\d.]*' not found",
            PROOF,
            "glibc elf/dl-version.c",
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("transformers-fa2-package-missing", "transformers-fa-api-mismatch", "cuda-libs-missing"),
)
