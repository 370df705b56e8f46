"""AD111 container-without-gpu

NVIDIA's images ask for every GPU with NVIDIA_VISIBLE_DEVICES=all; the container runtime answers only where it is
NVIDIA's and the container was started with `--gpus` (Docker), a device of CDI (Podman) or a resource (Kubernetes). On
a host without a GPU there is nothing to mend. A card that is seen on the bus without a driver is AD102.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.driver import Driver
from attn_doctor.machine.probes.gpus import Gpu
from attn_doctor.machine.probes.system import System
from attn_doctor.machine.probes.torch import TorchDist

NOTHING = ("", "void", "none")
STARTS = {
    "podman": "podman run --device nvidia.com/gpu=all ...",
    "kubernetes": "kubectl explain pod.spec.containers.resources.limits  # wants nvidia.com/gpu: 1",
}
DOCKER = "docker run --gpus all ...  # needs the NVIDIA Container Toolkit"


def check(
    system: System,
    environment: dict[str, str],
    gpus: tuple[Gpu, ...] | None,
    driver: Driver | None,
    torch: TorchDist | None,
) -> Problem | None:
    asked = environment.get("NVIDIA_VISIBLE_DEVICES", "").strip()
    if not system.container or asked.lower() in NOTHING or gpus or driver is not None:
        return None
    if torch is None or torch.cuda is None:
        return None
    shown = asked if asked == "all" or asked.replace(",", "").isdigit() else "..."
    return Problem(
        f"this container asks for GPUs (NVIDIA_VISIBLE_DEVICES={shown}) and got none, no driver either. Where the host "
        "has one, it was started without access.",
        fix=(STARTS.get(system.container, DOCKER),),
    )


RULE = Rule("AD111", "container-without-gpu", "info", "the container got no GPU", check, confidence="likely")
