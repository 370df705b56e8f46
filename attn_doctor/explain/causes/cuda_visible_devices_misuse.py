"""CUDA_VISIBLE_DEVICES asks for what is not there, hides every GPU, or was changed after CUDA had started.

"invalid device ordinal" is the plainest: a program asks for GPU 1 where one is visible. "No CUDA GPUs are available"
and "CUDA unknown error" belong here only where the log shows the variable being set. With MIG it is
mig-device-misuse.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _devices
from attn_doctor.explain.log import Log

NEEDS_THE_VARIABLE = (
    "No CUDA GPUs are available",
    "no CUDA-capable device is detected",
    "CUDA unknown error - this may",
)


def weigh(match: Match, log: Log) -> Strength | None:
    if _devices.mig(log):
        return None
    if match.sign.literal in NEEDS_THE_VARIABLE:
        if _devices.hidden(log):
            return PROOF
        if "unknown error" in match.line.text:
            return SIGN if _devices.set_inside(log) else None
        return SIGN if _devices.asked(log) is not None else None
    return match.strength


def explain(match: Match, case: Case) -> str:
    value = _devices.asked(case.log)
    if _devices.hidden(case.log):
        return "CUDA_VISIBLE_DEVICES is empty or -1 here: that hides every GPU from the program."
    if "unknown error" in match.line.text:
        return (
            "CUDA_VISIBLE_DEVICES is read once, when CUDA starts. Set or changed inside the program after torch was "
            "imported, it comes too late, and CUDA may then refuse to start at all."
        )
    named = f" (it is {value})" if value and len(value) <= 20 else ""  # noqa: PLR2004
    return (
        f"A GPU is asked for that this process does not see. CUDA_VISIBLE_DEVICES{named} renumbers: what is "
        "visible counts "
        "from 0, and the list ends at the first number that does not exist."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    if _devices.hidden(case.log):
        yield "$env:CUDA_VISIBLE_DEVICES = '0'" if case.windows else "unset CUDA_VISIBLE_DEVICES"
    yield "nvidia-smi -L   (the GPUs there are; the numbers of the variable count these)"
    if "unknown error" in match.line.text:
        yield (
            "set it before Python starts: CUDA_VISIBLE_DEVICES=0,1 python script.py; in a program only above "
            "`import torch`"
        )
        yield (
            "after a failed start: a fresh shell; where it stays: sudo modprobe --remove nvidia_uvm; sudo "
            "modprobe nvidia_uvm"
        )
        return
    yield "with one visible GPU the program's device is cuda:0, whatever number the GPU has in nvidia-smi"
    yield "several processes: not more than GPUs (torchrun --nproc_per_node, tensor_parallel_size, --num_gpus)"


CAUSE = Cause(
    category="cuda-visible-devices-misuse",
    stage="runtime",
    title="CUDA_VISIBLE_DEVICES and the program disagree",
    signs=(
        Sign("invalid device ordinal", by="CUDA: cudaErrorInvalidDevice"),
        Sign("cudaErrorInvalidDevice", r"cudaErrorInvalidDevice\b", by="CUDA: the name of the error"),
        Sign("CUDA_ERROR_INVALID_DEVICE", r"CUDA_ERROR_INVALID_DEVICE\b", by="the driver API"),
        Sign("is not visible (CUDA_VISIBLE_DEVICES=", by="torch/cuda/__init__.py"),
        Sign("num_gpus", r"device=\W{0,3}\d*\W{1,4}num_gpus=", by="aten/src/ATen/cuda/CUDAContext.cpp"),
        Sign("INTERNAL ASSERT FAILED", r"device >= 0 && device < num_gpus", by="aten/src/ATen/cuda/CUDAContext.cpp"),
        Sign("AssertionError: Invalid device id", by="torch/cuda/__init__.py, get_device_properties"),
        Sign(
            "base 10: 'GPU-",
            r"invalid literal for int\(\) with base 10: 'GPU-",
            by="vLLM and others: a UUID where a number is read",
        ),
        Sign("Duplicate GPU detected", strength=SIGN, by="NCCL: two ranks on one device"),
        Sign("Invalid CUDA 'device=", strength=SIGN, by="ultralytics, select_device"),
        Sign("greater than the number of visible devices", strength=SIGN, by="launchers"),
        *(
            Sign(text, strength=SIGN, by="c10: only where the variable is set in the log")
            for text in NEEDS_THE_VARIABLE
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("no-gpu-visible", "cuda-init-unknown-error"),
)
