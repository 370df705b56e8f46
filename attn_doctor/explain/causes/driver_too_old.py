"""The NVIDIA driver is older than the CUDA of torch, or of the container, needs.

torch wheels carry their own CUDA, but not the driver. "found version 11040" is CUDA 11.4: the newest that the driver
knows. Not to be taken for a mismatch of the driver's own parts (nvml-driver-library-mismatch), nor for the harmless
note of NVIDIA's images that they run in minor version compatibility.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import SIGN, Cause, Match, Sign
from attn_doctor.explain.causes import _containers, _torches
from attn_doctor.knowledge.versions import major


def explain(match: Match, case: Case) -> str:
    runs, needs = _runs(match), match["needs"]
    first = f"The NVIDIA driver knows CUDA up to {runs}" if runs else "The NVIDIA driver is too old for this CUDA"
    if needs:
        first += f"; CUDA {needs} is asked for" if "." in needs and len(needs) < 6 else f"; {needs} is the least"  # noqa: PLR2004
    floor = _torches.floor(case, needs if needs and "." in needs and len(needs) < 6 else None)  # noqa: PLR2004
    least = f" That takes driver {floor} or newer." if floor else ""
    return (
        f"{first}.{least} Either the driver is updated, or a torch of an older CUDA is taken; the toolkit "
        "(nvcc) plays no part."
    )


def _runs(match: Match) -> str | None:
    """'11.4' of 'found version 11040'."""
    found = match["found"]
    if not found or not found.isdigit() or int(found) <= 0:
        return None
    return f"{int(found) // 1000}.{int(found) % 1000 // 10}"


def fix(match: Match, case: Case) -> Iterator[str]:
    runs = _runs(match)
    floor = _torches.floor(case, None)
    least = f" {floor} or newer" if floor else ""
    if _containers.wsl(case.log):
        yield (
            f"update NVIDIA's driver in Windows{f' to{least}' if least else ''}, then wsl --shutdown; none is "
            "installed inside WSL"
        )
    elif _containers.inside(case.log):
        yield (
            f"update the driver of the host{f' to{least}' if least else ''}: a container uses the host's; none "
            "is installed inside"
        )
        yield "or take an image of an older CUDA"
    elif case.windows:
        yield f"install NVIDIA's driver{least}, then restart Windows"
    else:
        yield f"install the driver{least} (Ubuntu: sudo ubuntu-drivers install), then sudo reboot"
    if runs is None or major(runs) > 0:
        yield from _torches.for_driver(case, runs)
    yield "nvidia-smi   (shows the driver, and at the right the newest CUDA that it knows)"


CAUSE = Cause(
    category="driver-too-old",
    stage="driver",
    title="The NVIDIA driver is too old",
    signs=(
        Sign(
            "The NVIDIA driver on your system is too old",
            r"driver on your system is too old(?: \(found version (?P<found>\d+)\))?",
            by="c10/cuda/CUDAFunctions.cpp",
        ),
        Sign("CUDA driver version is insufficient for CUDA runtime version", by="CUDA: cudaErrorInsufficientDriver"),
        Sign("cudaErrorInsufficientDriver", by="CUDA: the name of the error"),
        Sign("compiled with an unsupported toolchain", by="CUDA: cudaErrorUnsupportedPtxVersion"),
        Sign("CUDA_ERROR_UNSUPPORTED_PTX_VERSION", by="the driver API"),
        Sign("API call is not supported in the installed CUDA driver", by="CUDA: cudaErrorCallRequiresNewerDriver"),
        Sign("forward compatibility was attempted on non supported HW", by="CUDA: cudaErrorCompatNotSupportedOnDevice"),
        Sign(
            "unsatisfied condition: ",
            r"unsatisfied condition: (?:cuda|driver)\s?>=\s?(?P<needs>\d+(?:\.\d+)*)",
            by="nvidia-container-cli: requirement error",
        ),
        Sign(
            "unsatisfied condition: ",
            r"unsatisfied condition: brand\b",
            by="nvidia-container-cli: the last alternative of NVIDIA_REQUIRE_CUDA, for Tesla cards alone",
        ),
        Sign(
            "This container was built for NVIDIA Driver Release",
            r"NVIDIA Driver Release (?P<needs>\d+\.\d+)[^\n]{0,20} or later, but",
            by="NVIDIA's images: entrypoint",
        ),
        Sign("compatibility mode is UNAVAILABLE", by="NVIDIA's images: entrypoint"),
        Sign("Failed to retrieve cuLaunchKernelEx from libcuda", by="triton/backends/nvidia/driver.c"),
        Sign("driver", r"(?i)\b(?:nvidia|cuda|gpu) driver\b[^\n]{0,60}\b(?:is )?too old\b", SIGN, by="many programs"),
        Sign("minimum required driver", strength=SIGN, by="TensorFlow, JAX"),
        Sign("Please update your GPU driver", strength=SIGN, by="c10/cuda/CUDAFunctions.cpp, second half"),
        Sign("requires driver version", r"requires driver version (?P<needs>\d+[\d.]*)", SIGN, by="RAPIDS, TensorRT"),
    ),
    explain=explain,
    fix=fix,
    leads_to=("no-gpu-visible", "docker-gpu-not-exposed", "cuda-init-unknown-error", "cpu-only-torch"),
)
