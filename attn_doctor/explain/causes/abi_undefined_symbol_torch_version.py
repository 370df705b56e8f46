"""A compiled extension asks libtorch for a function that this torch does not have: it was built for another release.

Shows as "undefined symbol: _ZN3c10...", "_ZN2at...", "_ZN5torch..." on import. Not for it: a name that spells
std::string by the other C++ ABI (cxx11-abi-mismatch), symbols of NCCL, cuDNN, cuBLAS or Python itself, and extensions
that have a category of their own (FlashAttention 3, xFormers, torchvision).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log

CATEGORY = _loader.ABI_VERSION


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign in _loader.UNDEFINED:
        return _loader.speaks_for(CATEGORY, match, log)
    if match["library"] and "flash_attn_3" in match.line.text:
        return None
    return match.strength


def explain(match: Match, case: Case) -> str:
    found = _loader.undefined(match.line.text)
    if found is None:
        return f"The extension was compiled against another torch than {_mending.torch(case)}: {GONE}"
    seen = _loader.seen_in(found.symbol)
    where = f" (it is in torch {seen})" if seen else ""
    built = _loader.torch_of_wheel(case.log)
    was = f" The file was built for torch {built}." if built else ""
    return (
        f"{file_of(found)} asks for {_loader.in_words(found.symbol)}{where}, which {_mending.torch(case)} does not "
        f"define: the extension was compiled against another torch release.{was} Often torch was upgraded after it."
    )


GONE = "a library or interface that it needs exists only there."


def file_of(found: _loader.Undefined) -> str:
    """The name of the file that asks, without its folder."""
    return found.file.replace("\\", "/").rpartition("/")[2] or "An extension"


def fix(match: Match, case: Case) -> Iterator[str]:
    found = _loader.undefined(match.line.text)
    package = _loader.package_of(found.file) if found else None
    yield from _mending.anew(case, package)
    yield "afterwards keep torch where it is: install later packages with --no-deps, or name torch==VERSION beside them"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="A compiled extension was built for another torch release",
    signs=(
        *_loader.UNDEFINED,
        Sign(
            "cannot open shared object file",
            r"(?P<library>libtorch_cuda_c(?:u|pp)|libcaffe2\w{0,12}|libtorch_python|libshm|libtorch)\.so: cannot open",
            SIGN,
            "glibc elf/dl-load.c; libtorch_cuda_cu and _cpp existed from torch 1.9 to 1.13 alone",
        ),
        Sign("compiled against a different version of PyTorch", None, PROOF, "extensions that check it themselves"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("transformers-fa2-package-missing", "transformers-fa-api-mismatch"),
)
