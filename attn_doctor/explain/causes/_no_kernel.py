"""What shows that no code for the GPU was compiled in, as torch, CUDA, Triton and nvrtc say it."""

from __future__ import annotations

from attn_doctor.explain.cause import PROOF, SIGN, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _gpus
from attn_doctor.explain.log import Log

NOT_IN_TORCH = ("is not compatible with the current PyTorch", "which is of compute capability (CC)")
SIGNS = (
    Sign("no kernel image is available", by="CUDA: cudaErrorNoKernelImageForDevice"),
    Sign("cudaErrorNoKernelImageForDevice", by="CUDA: the name of the error"),
    Sign("CUDA_ERROR_NO_BINARY_FOR_GPU", by="the driver API"),
    Sign(NOT_IN_TORCH[0], by="torch/cuda/__init__.py, _check_cubins"),
    Sign(NOT_IN_TORCH[1], by="torch/cuda/__init__.py, _warn_unsupported_code"),
    Sign("device kernel image is invalid", strength=SIGN, by="CUDA: cudaErrorInvalidKernelImage"),
    Sign("invalid device function", strength=SIGN, by="CUDA: cudaErrorInvalidDeviceFunction"),
    Sign(
        "named symbol not found", r"CUDA error[^\n]{0,20}: named symbol not found|CUDA_ERROR_NOT_FOUND", SIGN, by="CUDA"
    ),
    Sign(
        "but was built for sm",
        r"FATAL: kernel [^\n]{0,80} is for sm\d+-sm\d+, but was built for sm\d+",
        by="cutlass kernels",
    ),
    Sign("option 'gpu-name'", r"Value 'sm_1\d\d[af]?' is not defined for option 'gpu-name'", by="ptxas of Triton"),
    Sign(
        "is not a recognized processor for this target",
        r"'sm_1\d\d[af]?' is not a recognized",
        SIGN,
        by="LLVM of Triton",
    ),
    Sign("invalid value for --gpu-architecture", strength=SIGN, by="nvrtc"),
    Sign("does not contain device code for", strength=SIGN, by="cuobjdump users"),
    Sign("is not supported by the architectures of the build", by="kernels/archs.py"),
)


def weigh(match: Match, log: Log, kind: _gpus.Kind) -> Strength | None:
    """How strongly it speaks for a GPU of that kind; of none that is named, for the newest."""
    if match.sign.literal == "option 'gpu-name'" and _builds.during_a_build(match.line, log) and not log.has("triton"):
        return None  # nvcc in a build: nvcc-arch-unsupported
    gpu = _gpus.seen(log)
    about = gpu.kind if gpu else "blackwell"
    if about == "other":
        about = "blackwell"
    if about != kind:
        return None
    if gpu is None or gpu.kind == "other":
        return SIGN if match.strength == SIGN else PROOF
    return PROOF
