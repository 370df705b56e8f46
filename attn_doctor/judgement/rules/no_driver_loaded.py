"""AD102 no-driver-loaded

An NVIDIA card is on the PCI bus, and no NVIDIA driver answers for it: none is installed, the kernel module is not
loaded (after a kernel update, with Secure Boot on, with nouveau in its place), or a container was started without
access to the GPU. Nothing can use the card until that is mended; no Python package can mend it.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.driver import Driver
from attn_doctor.machine.probes.gpus import Gpu
from attn_doctor.machine.probes.system import System


def check(system: System, gpus: tuple[Gpu, ...], driver: Driver | None) -> Problem | None:
    cards = [gpu.name for gpu in gpus if gpu.vendor == "nvidia"]
    if driver is not None or not cards:
        return None
    if system.container:
        detail = "it is on the bus, but the container was started without access to it."
        return Problem(
            f"{cards[0]}: {detail}", fix=("docker run --gpus all ...  # needs the NVIDIA Container Toolkit",)
        )
    debian = "debian" in (system.distribution or "").lower()
    fix = "sudo apt install nvidia-driver" if debian else "sudo ubuntu-drivers install" if _ubuntu(system) else None
    return Problem(
        f"{cards[0]} is there, but no NVIDIA driver is loaded: "
        "neither NVML, nvidia-smi nor /proc/driver/nvidia answers.",
        fix=(fix,) if fix else (),
    )


def _ubuntu(system: System) -> bool:
    return "ubuntu" in (system.distribution or "").lower()


RULE = Rule("AD102", "no-driver-loaded", "error", "no NVIDIA driver is loaded", check)
