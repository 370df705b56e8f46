"""Two copies of a CUDA library are there, and LD_LIBRARY_PATH (or an old one beside torch) makes the wrong one win.

Shows as an undefined symbol of nvJitLink, cuBLAS, cuSPARSE ... that carries a library version, as "version
`libcublas.so.12' not found", and as what bitsandbytes says of duplicates. Not for it: a library that is nowhere
(cuda-libs-missing), NCCL and cuDNN, which have categories of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log

CATEGORY = _loader.CONFLICT


def weigh(match: Match, log: Log) -> Strength | None:
    return _loader.speaks_for(CATEGORY, match, log) if match.sign in _loader.UNDEFINED else match.strength


def explain(match: Match, _case: Case) -> str:
    found = _loader.undefined(match.line.text)
    if found is None:
        return f"Two copies of a CUDA library are in reach, and the wrong one is loaded first. {WHY}"
    asked = _loader.known(found.symbol)
    what = asked.readable if asked else found.symbol
    library = found.library or "a CUDA library"
    return f"The {library} that was loaded first does not have {what}: it is an older copy than torch needs. {WHY}"


WHY = (
    "torch brings its own CUDA libraries as packages; a folder of a system toolkit in LD_LIBRARY_PATH is searched "
    "before them."
)


def fix(match: Match, case: Case) -> Iterator[str]:
    yield (
        "unset LD_LIBRARY_PATH, then try again; if that mends it, take the CUDA folders out where it is set (~/.bashrc)"
    )
    found = _loader.undefined(match.line.text)
    library = (found.library if found else None) or "libnvJitLink.so.12"
    stem = library.split(".")[0]
    yield f"LD_DEBUG=libs python -c 'import torch' 2>&1 | grep {stem}   (shows which copy is taken)"
    yield f"{_mending.torch_anew(case)}   (where no such variable is set: brings the CUDA packages it demands)"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="Two CUDA user-space copies: the wrong library is loaded first",
    signs=(
        *_loader.UNDEFINED,
        Sign(
            "' not found (required by",
            r"version `lib(?!cudart)(?:cu|nv)\w{2,20}\.so[.\d]*' not found \(required by",
            PROOF,
            "glibc elf/dl-version.c: a library of another major under the name that was asked for",
        ),
        Sign("Found duplicate ['libcudart.so", None, SIGN, "bitsandbytes cuda_setup: duplicates in one folder"),
        Sign("Found duplicate CUDA runtime files", None, SIGN, "bitsandbytes 0.42 and later"),
        Sign("We select the PyTorch default libcudart.so, which is", None, SIGN, "bitsandbytes 0.42 and later"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("transformers-fa2-package-missing", "cuda-libs-missing"),
)
