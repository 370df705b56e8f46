"""Whether a log comes from a container or from WSL, and how a container is given its GPU."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.log import Log

CONTAINER = (
    r"(?i)\bdocker(?: run|-compose| compose| build|file|desktop)\b|docker: error|/\.dockerenv"
    r"|nvidia-container|\bpodman\b"
    r"|\bcontainerd\b|\bkubectl\b|\bkubelet\b|\bdockerd\b|\bRUN (?:pip|python|uv|conda)\b"
    r"|root@[0-9a-f]{12}:|singularity"
    r"|apptainer|\bOCI runtime\b"
)
BUILD = (
    r"(?i)docker (?:buildx )?build\b|\bRUN (?:pip|python|uv|conda|set|cd|git|/)|executor failed running"
    r"|failed to solve"
)
WSL = r"(?i)\bwsl ?2?\b|/usr/lib/wsl|microsoft-standard|dxgkrnl|/mnt/[c-f]/"
PODMAN = r"(?i)\bpodman\b"
KUBERNETES = r"(?i)kubectl|kubelet|nvidia\.com/gpu: |FailedScheduling|\bk8s\b|kubernetes"
COMPOSE = r"(?i)docker[- ]compose|compose\.ya?ml"


def inside(log: Log) -> bool:
    """Whether a container plays a part."""
    return log.matches(CONTAINER) is not None


def building(log: Log) -> bool:
    """Whether an image is being built: no GPU is there then, whatever the host has."""
    return log.matches(BUILD) is not None


def wsl(log: Log) -> bool:
    """Whether it happened in WSL."""
    return log.matches(WSL) is not None


def start(log: Log) -> Iterator[str]:
    """How to start it with its GPUs, in the words of what started it."""
    if log.matches(PODMAN):
        yield (
            "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml, then podman run --device "
            "nvidia.com/gpu=all ..."
        )
    elif log.matches(KUBERNETES):
        yield "ask for one in the pod: resources: limits: nvidia.com/gpu: 1   (and NVIDIA's device plugin on the node)"
    elif log.matches(COMPOSE):
        yield (
            "in compose.yaml, under the service: deploy: resources: reservations: devices: "
            "[{driver: nvidia, count: all, capabilities: [gpu]}]"
        )
    else:
        yield "docker run --gpus all IMAGE ..."
