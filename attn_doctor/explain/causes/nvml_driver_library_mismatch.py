"""The driver's parts are of two versions: the kernel module that is loaded, and the libraries on disk.

Mostly after an unattended upgrade of the driver packages, until the next restart. NVML says it through nvidia-smi,
pynvml and nvidia-container-cli, the kernel log as "API mismatch". torch then sees no GPU, which is a consequence.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import SIGN, Cause, Match, Sign
from attn_doctor.explain.causes import _containers


def explain(match: Match, _case: Case) -> str:
    versions = f" ({match['client']} against {match['module']})" if match["client"] and match["module"] else ""
    return (
        f"The libraries of the NVIDIA driver on disk and the kernel module that is loaded differ{versions}: "
        "the driver was "
        "upgraded and the old module is still in memory. Nothing is wrong with torch; installing it anew "
        "changes nothing."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    if _containers.inside(case.log):
        yield "restart the host (sudo reboot), then start the container anew: its driver is the host's"
        return
    yield "sudo reboot"
    yield (
        "without a restart, where no process uses the GPU: "
        "sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia"
    )
    yield "to keep it from coming back overnight: sudo apt-mark hold 'nvidia-*'   (Debian, Ubuntu)"


CAUSE = Cause(
    category="nvml-driver-library-mismatch",
    stage="driver",
    title="Driver and library are of two versions: a restart is due",
    signs=(
        Sign("river/library version mismatch", by="NVML: nvmlErrorString; in lower case from nvidia-container-cli"),
        Sign("LIB_RM_VERSION_MISMATCH", by="NVML: the name of the error"),
        Sign("NVMLError_LibRmVersionMismatch", by="pynvml"),
        Sign("RM has detected an NVML/RM version mismatch", by="NVML: nvmlErrorString of older drivers"),
        Sign(
            "API mismatch: the client",
            r"API mismatch: the client(?: '[^']*')?(?: \(pid \d+\))? has the version (?P<client>[\d.]+\d)"
            r"(?:, but[^\n]{0,40} has the version (?P<module>[\d.]+\d))?",
            by="the kernel module: NVRM, in dmesg",
        ),
        Sign("unsupported display driver / cuda driver combination", by="CUDA: cudaErrorSystemDriverMismatch"),
        Sign("cudaErrorSystemDriverMismatch", by="CUDA: the name of the error"),
        Sign("NVML library version:", strength=SIGN, by="nvidia-smi, the line after the error"),
    ),
    explain=explain,
    fix=fix,
    leads_to=("no-gpu-visible", "docker-gpu-not-exposed", "cuda-init-unknown-error", "wsl-libcuda-not-found"),
)
