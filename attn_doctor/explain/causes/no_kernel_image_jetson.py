"""torch, or the extension, was compiled without code for a Jetson's GPU.

Jetson GPUs (Nano 5.3, Xavier 7.2, Orin 8.7, Thor) need code of exactly their own: sm_80 and sm_86 wheels for ARM
servers do not run on an Orin. The messages are those of no-kernel-image-blackwell; the log names the board, its GPU
or JetPack.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import Cause, Match, Strength
from attn_doctor.explain.causes import _gpus, _no_kernel
from attn_doctor.explain.log import Log


def weigh(match: Match, log: Log) -> Strength | None:
    return _no_kernel.weigh(match, log, "jetson")


def explain(match: Match, case: Case) -> str:
    what = (
        "torch"
        if match.sign.literal in _no_kernel.NOT_IN_TORCH
        else _gpus.extension_of(case.log) or "torch or the extension"
    )
    gpu = _gpus.seen(case.log)
    who = f"{_gpus.named(case.log)}, the GPU of this Jetson" if gpu and gpu.on else "the GPU of this Jetson"
    return (
        f"{what} holds no code for {who}. The wheels of the "
        "package index for ARM64 "
        "are made for servers: a Jetson needs the builds of its JetPack, and extensions compiled on the board."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield "cat /etc/nv_tegra_release   (the L4T release names the JetPack, and that the torch wheel of NVIDIA to take)"
    yield (
        "torch: NVIDIA's wheel for that JetPack, or a container of NVIDIA with it (nvcr.io/nvidia/pytorch, "
        "the -igpu tag)"
    )
    gpu = _gpus.seen(case.log)
    on = gpu.on if gpu and gpu.on else "X.Y"
    which = "" if gpu and gpu.on else "; X.Y: torch.cuda.get_device_capability()"
    package = case.package or "flash-attn"
    yield (
        f"extensions, on the board: TORCH_CUDA_ARCH_LIST={on} MAX_JOBS=1 pip install --no-build-isolation --no-deps "
        f"--force-reinstall --no-binary {package} {package}   (one job: the memory is shared{which})"
    )
    yield 'attn_implementation="sdpa" meanwhile: it needs nothing but torch'


CAUSE = Cause(
    category="no-kernel-image-jetson",
    stage="runtime",
    title="No code for this Jetson's GPU was compiled in",
    signs=_no_kernel.SIGNS,
    explain=explain,
    fix=fix,
    weigh=weigh,
)
