"""A CUDA library that an import needs is nowhere: cuDNN, cuBLAS, NCCL, nvRTC, cuSPARSELt ...

torch takes them from the nvidia-* packages; they are missing after an install without dependencies, an interrupted one,
or where a file was built for another CUDA major. Not for it: libcudart (libcudart-missing-major-mismatch), libcuda.so.1
and libnvidia-ml.so.1, which come with the driver, and what TensorFlow says of itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log

CATEGORY = "cuda-libs-missing"
NAME = (
    r"(?P<library>lib(?:cu(?:blas|dnn|fft|rand|solver|sparse|pti|file|dss)|nccl|nvJitLink|nvrtc|nvToolsExt"
    r"|nvshmem)\w*\.so[\w.*\[\]-]{0,20})"
)


def weigh(match: Match, _log: Log) -> Strength | None:
    if match.sign.literal != _loader.MISSING.literal:
        return match.strength
    library = _loader.missing_library(match.line.text)
    return match.strength if library and re.search(_loader.CUDA_LIBRARIES, library) else None


def library_of(match: Match) -> str:
    """The library that is missing."""
    return match["library"] or _loader.missing_library(match.line.text) or "a CUDA library"


def explain(match: Match, case: Case) -> str:
    library = library_of(match)
    wanted = re.search(r"\.so\.(\d+)", library)
    machine = _mending.has_torch(case)
    have = machine.torch.cuda if machine and machine.torch else None
    if wanted and have and library.startswith(NUMBERED) and have.split(".")[0] != wanted[1]:
        return (
            f"{library} is of CUDA {wanted[1]}, and {_mending.torch(case)} brings CUDA {have}: what asks for it was "
            "built for the other major."
        )
    return (
        f"{library} is needed at import, and it is in none of the places that are searched: not in the nvidia packages "
        "beside torch, and not in a system toolkit."
    )


OTHER_MAJOR = "what asks for it was built for the other major"
# their file names count CUDA majors; cuDNN, NCCL and others count their own
NUMBERED = ("libcublas", "libcupti", "libnvrtc", "libnvJitLink", "libcusparse.", "libcudart")


def fix(match: Match, case: Case) -> Iterator[str]:
    if OTHER_MAJOR in explain(match, case):
        yield from _mending.anew(case)
    else:
        yield f"{_mending.torch_anew(case)}   (with its dependencies: they are these libraries)"
    yield (
        f"find $(python -c 'import sys; print(sys.prefix)') -name '{library_of(match).split('.so')[0]}*'   (is it "
        "there at all?)"
    )
    yield "linking a library of another major under this name does not help: its functions differ"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="A CUDA library is not found at import",
    signs=(
        _loader.MISSING,
        Sign("not found in the system path", rf"{NAME} not found in the system path", PROOF, "torch/__init__.py"),
        Sign("Could not load library lib", rf"Could not load library {NAME}", SIGN, "cuDNN 8 shim, CTranslate2"),
        Sign("Unable to load any of {lib", rf"Unable to load any of \{{{NAME}", PROOF, "cuDNN 9 shim"),
        Sign("Unable to load lib", rf"Unable to load {NAME}", SIGN, "CTranslate2"),
        Sign(
            "is not found or cannot be loaded",
            rf"Library {NAME} is not found or cannot be loaded",
            PROOF,
            "CTranslate2",
        ),
        Sign("=> not found", rf"{NAME} => not found", PROOF, "ldd"),
        Sign("Failed to load NCCL library from", None, SIGN, "vllm/distributed/device_communicators/pynccl_wrapper.py"),
        Sign(
            "Could not locate cudnn", r"Could not locate (?P<library>cudnn\w{2,30}\.dll)", PROOF, "cuDNN 8 on Windows"
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
