"""The cuDNN that is loaded is another version than the one torch was compiled with, or mixed of two.

Shows as "cuDNN version incompatibility", CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH, CUDNN_STATUS_VERSION_MISMATCH, an
undefined symbol between libcudnn's parts. Not for it: a libcudnn that is not found (cuda-libs-missing).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log

CATEGORY = "cudnn-version-mismatch"


def weigh(match: Match, log: Log) -> Strength | None:
    return _loader.speaks_for(CATEGORY, match, log) if match.sign in _loader.UNDEFINED else match.strength


def explain(match: Match, case: Case) -> str:
    built, found = match["built"], match["found"]
    if built and found:
        which = f"torch was compiled with cuDNN {_dotted(built)}, and {_dotted(found)} was loaded."
    else:
        which = f"The cuDNN that was loaded is not the one that {_mending.torch(case)} was compiled with."
    return f"{which} Another copy comes first: from LD_LIBRARY_PATH, the system, or a second nvidia-cudnn package."


def _dotted(version: str) -> str:
    if version.isdecimal():  # CUDNN_VERSION: 7102, 91002
        big = 10000 if len(version) > 4 else 1000  # noqa: PLR2004
        return f"{int(version) // big}.{int(version) % big // 100}.{int(version) % 100}"
    return ".".join(part for part in version.replace(",", " ").replace(".", " ").split())


def fix(_match: Match, case: Case) -> Iterator[str]:
    if case.windows:
        yield "take the folder of the other cuDNN (cudnn64_*.dll) out of PATH: torch brings its own in torch\\lib"
    else:
        yield "unset LD_LIBRARY_PATH, then try again: torch brings its own cuDNN"
    yield _own_cudnn(case)
    yield "pip list | grep -i cudnn   (of nvidia-cudnn-cu11, -cu12 and -cu13 only the one of torch's CUDA may stay)"


def _own_cudnn(case: Case) -> str:
    from attn_doctor.judgement import commands
    from attn_doctor.knowledge import torch_builds
    from attn_doctor.knowledge.versions import major

    machine = _mending.has_torch(case)
    pins = torch_builds.pins(machine.torch.version) if machine and machine.torch else None
    cuda = commands.cuda_of_torch(machine) if machine else None
    if machine is None or pins is None or not pins.cudnn or cuda is None:
        return f"{_mending.torch_anew(case)}   (it brings the cuDNN it demands)"
    # the pin is that of the package index's build: another CUDA of the same torch may have another
    wanted = f"nvidia-cudnn-cu{major(cuda)}=={pins.cudnn}"
    return f"{commands.forced(commands.installer(machine))} --no-deps {wanted}   (what torch {pins.torch} demands)"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="Another cuDNN is loaded than torch was compiled with",
    signs=(
        Sign(
            "cuDNN version incompatibility",
            r"compiled\s+against \(?(?P<built>[\d., ]+?)\)? but (?:found runtime version|linked against) "
            r"\(?(?P<found>[\d., ]+\d)",
            PROOF,
            "torch/backends/cudnn/__init__.py",
        ),
        Sign("cuDNN version incompatibility", None, PROOF, "torch/backends/cudnn/__init__.py"),
        Sign(
            "cuDNN version mismatch",
            r"compiled against (?P<built>\d{4,6}) but linked against (?P<found>\d{4,6})",
            PROOF,
            "torch/backends/cudnn/__init__.py, 0.3 to 1.0",
        ),
        Sign("CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH", None, PROOF, "cuDNN 9 status names"),
        Sign("CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED", None, SIGN, "cuDNN 9 status names"),
        Sign("CUDNN_STATUS_VERSION_MISMATCH", None, PROOF, "cuDNN 8 status names"),
        Sign("CUDNN_STATUS_RUNTIME_PREREQUISITE_MISSING", None, SIGN, "cuDNN status names"),
        Sign(
            "Loaded runtime CuDNN library:",
            r"Loaded runtime CuDNN library: (?P<found>[\d.]+\d) but source was compiled with: (?P<built>[\d.]+\d)",
            PROOF,
            "TensorFlow and JAX: cuda_dnn.cc",
        ),
        Sign("CUDNN_STATUS_NOT_INITIALIZED", None, HINT, "torch: also when the GPU memory is full"),
        *_loader.UNDEFINED,
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
