"""A container was started without access to the GPU, or the host cannot give it.

Docker, containerd, Podman and the NVIDIA Container Toolkit say so themselves; a program inside only finds no driver.
"Driver/library version mismatch" and "please update your driver" come through nvidia-container-cli too, and are
causes of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _containers, _devices
from attn_doctor.explain.log import Log

TOOLKIT = (
    "on the host, install the NVIDIA Container Toolkit (apt, dnf: nvidia-container-toolkit), then: "
    "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
)
SEES_NOTHING = ("Found no NVIDIA driver on your system", "No CUDA GPUs are available", "nvidia-smi: command not found")
LOST = "Failed to initialize NVML: Unknown Error"
NO_RUNTIME = ("could not select device driver", "runtime", "CDI", "nvidia-container", "GPU vendor", "unknown flag")


def weigh(match: Match, log: Log) -> Strength | None:
    text = match.line.text
    if "version mismatch" in text or "unsatisfied condition" in text or "MIG" in text:
        return None
    if match.sign.literal in SEES_NOTHING:
        return PROOF if _containers.inside(log) and not _devices.hidden(log) else None
    return match.strength


def explain(match: Match, case: Case) -> str:
    if match.sign.literal == LOST:
        return (
            "The container had its GPU and lost it: reloading systemd on the host (a package upgrade does) "
            "takes the device "
            "permissions away from running containers."
        )
    if "adapters were found" in match.line.text or "load library failed" in match.line.text:
        return "The host that runs Docker finds no working NVIDIA driver, so no container can be given a GPU."
    if any(word in match.line.text for word in NO_RUNTIME):
        return (
            "Docker does not know how to hand over a GPU: the NVIDIA Container Toolkit is missing on the host, "
            "or not set up."
        )
    if _containers.building(case.log):
        return (
            "While an image is built no GPU is there, whatever the host has: what needs one has to wait until it runs."
        )
    return "The container was started without a GPU. The driver is the host's: none is installed inside a container."


def fix(match: Match, case: Case) -> Iterator[str]:
    text = match.line.text
    if match.sign.literal == LOST:
        yield "docker restart CONTAINER"
        yield (
            "for good: name the devices too: docker run --gpus all --device /dev/nvidia0 --device "
            "/dev/nvidiactl --device /dev/nvidia-uvm ..."
        )
        return
    if any(word in text for word in NO_RUNTIME) and "initialization error" not in text:
        yield TOOLKIT
    yield from _containers.start(case.log)
    yield "nvidia-smi   (on the host: it has to work there first; the driver is the host's)"
    if case.windows or _containers.wsl(case.log):
        yield "Docker Desktop: the WSL 2 backend, and a current NVIDIA driver in Windows; nothing of it inside WSL"


CAUSE = Cause(
    category="docker-gpu-not-exposed",
    stage="driver",
    title="The container has no access to the GPU",
    signs=(
        Sign("could not select device driver", r'device driver "[^"]*" with capabilities: \[\[[^\]]*gpu', by="dockerd"),
        Sign("could not select device driver", strength=SIGN, by="dockerd"),
        Sign("nknown or invalid runtime name: nvidia", by="dockerd"),
        Sign("Unknown runtime specified nvidia", by="dockerd"),
        Sign("unknown runtime", r"unknown runtime:? \"?nvidia", by="containerd"),
        Sign("The NVIDIA Driver was not detected", by="NVIDIA's images: entrypoint"),
        Sign(
            "nvidia-container-cli: ",
            r"nvidia-container-cli: (?:initialization|detection|mount|device|ldcache|container) error",
            by="libnvidia-container",
        ),
        Sign("nvidia-container-cli: ", strength=SIGN, by="libnvidia-container"),
        Sign("WSL environment detected but no adapters were found", by="libnvidia-container"),
        Sign(
            "nvidia-container-runtime-hook",
            r"nvidia-container-(?:runtime-)?hook\b[^\n]{0,60}(?:not found|no such file)",
            by="runc",
        ),
        Sign(
            "nvidia-container-runtime", r"nvidia-container-runtime[^\n]{0,60}(?:not found|no such file)", by="dockerd"
        ),
        Sign("no known GPU vendor found", by="dockerd: CDI"),
        Sign(
            "CDI device",
            r"(?:unresolvable CDI devices?|CDI device injection failed)[^\n]{0,80}nvidia\.com",
            by="CDI: podman, containerd",
        ),
        Sign("unknown flag: --gpus", by="docker before 19.03"),
        Sign("Insufficient nvidia.com/gpu", by="Kubernetes scheduler"),
        Sign("nvidia-docker: command not found", strength=SIGN, by="bash"),
        Sign(LOST, by="nvidia-smi in a container after systemctl daemon-reload"),
        Sign(
            "NVIDIA_VISIBLE_DEVICES",
            r"NVIDIA_VISIBLE_DEVICES['\"]?\s?[=:]\s?['\"]?(?:void|none)",
            SIGN,
            by="the environment of the container",
        ),
        *(Sign(text, strength=SIGN, by="inside a container that was started without --gpus") for text in SEES_NOTHING),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("no-gpu-visible", "wsl-libcuda-not-found", "cuda-init-unknown-error"),
)
