"""CUDA does not start, and says no more than "unknown error".

The host is in a bad state: the nvidia_uvm module is not loaded, the machine woke from suspend, the fabric manager of an
NVSwitch machine does not run, or the GPU is lost or held by another process. Where the log shows that the program set
CUDA_VISIBLE_DEVICES, that is the likelier reason (cuda-visible-devices-misuse); where the number behind the message is
803 or 804, the driver's versions are.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _containers, _devices
from attn_doctor.explain.log import Log

FABRIC = ("system not yet initialized", "cudaErrorSystemNotReady", "CUDA_ERROR_SYSTEM_NOT_READY")
UNKNOWN = "unknown error - this may be due to an incorrectly set up environment"
HARDWARE = ("uncorrectable ECC", "fallen off the bus", "uncorrectable NVLink")


def weigh(match: Match, log: Log) -> Strength | None:
    if UNKNOWN in match.line.text and (_devices.set_inside(log) or _devices.hidden(log)):
        return None  # cuda-visible-devices-misuse
    if match.sign.literal == "initialization error" and log.has("forked subprocess", "fork"):
        return None  # a program that forks after it used CUDA
    return match.strength


def explain(match: Match, _case: Case) -> str:
    if any(word in match.line.text for word in FABRIC):
        return (
            "The GPUs of this machine are joined by NVSwitch, and their fabric manager does not run: CUDA waits for it."
        )
    if any(word in match.line.text for word in HARDWARE):
        return "The GPU itself reports a fault (memory or bus). No package causes or mends that."
    return (
        "CUDA could not start and does not say why. The packages are not to blame: the driver's state on the host is "
        "(nvidia_uvm not loaded, after suspend, after an upgrade), or CUDA_VISIBLE_DEVICES was changed "
        "while the program ran."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    if any(word in match.line.text for word in FABRIC):
        yield "sudo systemctl enable --now nvidia-fabricmanager   (of the very version of the driver)"
        return
    if any(word in match.line.text for word in HARDWARE):
        yield "sudo dmesg | grep -i xid   (NVIDIA's list of Xid numbers says what the number means), then restart"
        return
    if case.windows or _containers.wsl(case.log):
        yield "restart Windows (WSL: wsl --shutdown first)"
    elif _containers.inside(case.log):
        yield "on the host: sudo nvidia-modprobe -u -c=0, then start the container anew with --gpus all"
    else:
        yield "sudo modprobe --remove nvidia_uvm; sudo modprobe nvidia_uvm   (also mends it after suspend)"
        yield "sudo reboot"
    yield (
        "python -c \"import torch; torch.zeros(1, device='cuda')\" in a fresh shell   (fails too: it is the "
        "host; else the program)"
    )
    yield "set CUDA_VISIBLE_DEVICES before Python starts, never inside the program"


CAUSE = Cause(
    category="cuda-init-unknown-error",
    stage="driver",
    title="CUDA does not start on this host",
    signs=(
        Sign(UNKNOWN, by="c10/cuda/CUDAFunctions.cpp ('CUDA unknown error'); Caffe2 before it ('Found an')"),
        Sign("Error 999: unknown error", by="c10: cudaGetDeviceCount gave cudaErrorUnknown"),
        Sign("CUDA error: unknown error", by="CUDA: cudaErrorUnknown"),
        Sign("CUDA_ERROR_UNKNOWN", by="the driver API, cuInit"),
        Sign("cudaErrorUnknown", by="CUDA: the name of the error"),
        *(Sign(word, by="CUDA: cudaErrorSystemNotReady") for word in FABRIC),
        Sign("OS call failed or operation not supported on this OS", by="CUDA: cudaErrorOperatingSystem"),
        Sign(
            "busy or unavailable",
            r"CUDA-capable devices? ?(?:\(s\) )?(?:is|are|is/are) busy or unavailable",
            SIGN,
            by="CUDA",
        ),
        Sign("(s) is/are busy or unavailable", strength=SIGN, by="CUDA: cudaErrorDevicesUnavailable"),
        Sign("initialization error", r"(?:CUDA error|Error 3): initialization error", SIGN, by="CUDA"),
        Sign(
            "Unexpected error from cudaGetDeviceCount()",
            r"that might have already set an error\? Error (?:2|3|46|101|304|801|802|999)\b",
            PROOF,
            by="c10/cuda",
        ),
        Sign("Unexpected error from cudaGetDeviceCount()", strength=SIGN, by="c10/cuda/CUDAFunctions.cpp"),
        *(Sign(word, strength=SIGN, by="CUDA, the kernel module") for word in HARDWARE),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("no-gpu-visible",),
)
