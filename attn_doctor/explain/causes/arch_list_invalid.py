"""TORCH_CUDA_ARCH_LIST holds what torch does not know, or is empty where no GPU is visible to derive it from.

`arch_list[-1] += '+PTX'` with "list index out of range" is the second: docker build and login nodes see no GPU.
A name that torch knows and nvcc does not is nvcc-arch-unsupported.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log

QUOTED = Sign("RuntimeError: No GPUs found", None, SIGN, "sageattention setup.py, as it is quoted")
INSTALLING = ("setup.py", "git clone", "Collecting ", "build_wheel", "egg_info", "pip install")


def weigh(match: Match, log: Log) -> Strength | None:
    if "out of range" in match.sign.literal:
        near = ("arch_list[-1]", "_get_cuda_arch_flags", "cpp_extension")
        return PROOF if log.near(match.line, *near, before=6) else None
    if match.sign is QUOTED and not log.has(*INSTALLING):
        return None  # of a program that runs, and finds none
    if log.has("+cpu") and match["arch"] is None:
        return SIGN  # a torch without CUDA sees no GPU anywhere
    return match.strength


def explain(match: Match, _case: Case) -> str:
    if match["arch"]:
        return (
            f"torch takes names such as 8.6, 9.0a or 12.0+PTX, separated by semicolons, and only those of its own "
            f"release's table. '{match['arch']}' is none of them: misspelt, or newer than this torch."
        )
    return (
        "No GPU is visible while the package is built (docker build and login nodes have none), and nothing says for "
        "which one to compile. The build cannot guess it."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    own = ";".join(case.machine.capabilities) if case.machine else ""
    if match["arch"] and own and match["arch"] not in own:
        yield _commands.again(case, TORCH_CUDA_ARCH_LIST=own)
    elif match["arch"] and (meant := _meant(match["arch"])):
        yield _commands.again(case, TORCH_CUDA_ARCH_LIST=meant)
        yield "where this torch knows no code for the GPU at all: a newer torch (attn-doctor check names it)"
    elif match["arch"]:
        yield "a newer torch, which knows this architecture: attn-doctor check names the one for this machine"
    else:
        yield _commands.again(case, TORCH_CUDA_ARCH_LIST=own or "8.0")
        yield "nvidia-smi --query-gpu=compute_cap --format=csv,noheader   (on the machine that will run it: its number)"
    if case.log.has("docker", "Dockerfile", "RUN "):
        yield "in a Dockerfile: ENV TORCH_CUDA_ARCH_LIST=... before the RUN that compiles; docker build sees no GPU"
    yield from _builds.a_wheel(case)


def _meant(text: str) -> str | None:
    """'8.6' for sm_86, 86 or compute_86; for what is spelt well and not known, the first of its major, as PTX too."""
    bare = text.lower().removeprefix("sm_").removeprefix("compute_").removeprefix("sm").rstrip("af")
    if bare.isdigit() and len(bare) > 1:
        return f"{bare[:-1]}.{bare[-1]}"
    parts = bare.split(".")
    spelt_well = len(parts) == PAIR and all(part.isdigit() for part in parts)
    return f"{parts[0]}.0+PTX" if spelt_well and parts[1] != "0" else None


PAIR = 2

CAUSE = Cause(
    category="arch-list-invalid",
    stage="build",
    title="The list of GPU architectures to compile for is empty, or not understood",
    signs=(
        Sign("Unknown CUDA arch (", r"Unknown CUDA arch \((?P<arch>[^)]*)\)", PROOF, "torch/utils/cpp_extension.py"),
        Sign("arch_list[-1] += '+PTX'", None, PROOF, "torch/utils/cpp_extension.py: _get_cuda_arch_flags"),
        Sign("list index out of range", None, PROOF, "the last line of the same"),
        Sign("No target compute capabilities", None, PROOF, "sageattention setup.py"),
        Sign("No GPUs found. Please specify the target GPU", None, PROOF, "sageattention 2.0, vllm 0.2 setup.py"),
        QUOTED,
        Sign("Unknown CUDA Architecture Name", r"Name (?P<arch>\S+)", PROOF, "Caffe2 select_compute_arch.cmake"),
        Sign("Invalid sm version:", r"version: (?P<arch>\S+)", PROOF, "xformers setup.py"),
        Sign("CMAKE_CUDA_ARCHITECTURES must be non-empty", None, PROOF, "CMake"),
        Sign("CUDA_ARCHITECTURES is empty for target", None, PROOF, "CMake"),
        Sign("CUDA_ARCHITECTURES is set to", r"\"native\"|native", SIGN, "CMake"),
        Sign("TORCH_CUDA_ARCH_LIST", r"(?i)(?:invalid|malformed|cannot parse|empty)", SIGN, "setup.py"),
        Sign("max() arg is an empty sequence", None, SIGN, "torch/utils/cpp_extension.py: no arch in a CPU build"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=_builds.AFTERMATH,
)
