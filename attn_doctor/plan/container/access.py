"""How a container gets the GPUs of this machine: with which engine, by which option, and what must be there first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement.conditions import no_gpu
from attn_doctor.knowledge import images

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

DOCKER, PODMAN, TOOLKIT = "docker", "podman", "nvidia-ctk"
CONFIGURE = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
DESCRIBE = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"


class Access(msgspec.Struct, frozen=True):
    """The engine, the options of its `run` that pass the GPUs on, and what a person has to see to."""

    engine: str
    options: tuple[str, ...]
    needs: tuple[str, ...]
    prepare: tuple[str, ...]
    """Commands that bring what is needed, for a person."""
    warnings: tuple[str, ...]


def access(machine: Machine) -> Access:
    """By what is on PATH: Docker, else Podman, else Docker all the same, which is then to be installed."""
    engine = PODMAN if PODMAN in machine.tools and DOCKER not in machine.tools else DOCKER
    toolkit = machine.os != "windows" and TOOLKIT not in machine.tools
    return Access(
        engine,
        options(machine, engine),
        needs=tuple(_needs(machine, engine, toolkit)),
        prepare=(DESCRIBE if engine == PODMAN else CONFIGURE,) if toolkit else (),
        warnings=tuple(_warnings(machine, engine)),
    )


def options(machine: Machine, engine: str) -> tuple[str, ...]:
    """Every GPU, or those that CUDA_VISIBLE_DEVICES leaves."""
    nvidia = [gpu for gpu in machine.all_gpus if gpu.vendor == "nvidia"]
    chosen = [str(gpu.index) for gpu in machine.nvidia] if 0 < len(machine.nvidia) < len(nvidia) else []
    if engine == PODMAN:
        return tuple(part for one in chosen or ["all"] for part in ("--device", f"nvidia.com/gpu={one}"))
    # the inner quotes are Docker's: a comma would end the value of its option
    return ("--gpus", f'"device={",".join(chosen)}"' if chosen else "all")


def obstacles(machine: Machine) -> Iterator[str]:
    """Why no container on this machine can reach an NVIDIA GPU, whatever is in it."""
    if machine.os == "macos":
        yield "macOS has no CUDA, and a container there reaches no GPU"
        return
    arches = {arch for row in images.table().cuda for arch in row.arches}
    if machine.arch not in arches:
        yield f"NVIDIA's images are made for {' and '.join(sorted(arches))}; this machine is {machine.arch}"
        return
    if not machine.nvidia:
        other = machine.gpus[0].name if machine.gpus else None
        yield f"{other} is no NVIDIA GPU: attn-doctor makes images for those alone" if other else no_gpu(machine).reason
        return
    yield from _driver(machine)
    jetson = images.table().jetson
    for gpu in machine.nvidia:
        if gpu.fault:
            yield f"{gpu.name}: {gpu.fault}"
        elif gpu.compute_capability is None:
            yield f"the compute capability of {gpu.name} is not known; give it with --what-if cc=X.Y"
        elif gpu.compute_capability in jetson.capabilities and machine.arch == jetson.arch:
            yield f"{gpu.name} is a Jetson: it takes NVIDIA's own images for JetPack, which attn-doctor does not make"


def _driver(machine: Machine) -> Iterator[str]:
    if machine.driver is None:
        why = machine.unknown("driver")
        said = f"the driver could not be read: {why}" if why else "no NVIDIA driver is loaded"
        yield f"{said}; a container brings none, it takes the host's"
    elif machine.driver.fault:
        yield f"the driver does not answer: {machine.driver.fault}"


def _needs(machine: Machine, engine: str, toolkit: bool) -> Iterator[str]:
    """What must be there before the image can be built and run, and is not seen."""
    if engine not in machine.tools:
        windows = machine.os == "windows"
        yield "Docker Desktop with its WSL 2 backend" if windows else "Docker or Podman: neither is on PATH"
    if not toolkit:
        return
    if engine == PODMAN:
        yield "the NVIDIA Container Toolkit, and a description of the GPUs that it writes once"
    elif machine.system and machine.system.wsl:
        yield "the NVIDIA Container Toolkit, unless this is Docker Desktop, which has it"
    else:
        yield "the NVIDIA Container Toolkit: nvidia-ctk is not on PATH"


def _warnings(machine: Machine, engine: str) -> Iterator[str]:
    inside = machine.system.container if machine.system else None
    if inside == "kubernetes":
        yield "this is a pod of Kubernetes: build the image elsewhere, and ask for nvidia.com/gpu in the pod's limits"
    elif inside:
        yield f"this is the inside of a container ({inside}): build and run on its host, with the host's tools"
    if machine.os == "windows" or (machine.system and machine.system.wsl):
        yield "the driver is the one of Windows: install none in WSL, and none in the image"
    if engine == PODMAN:
        yield "without root Podman passes GPUs by CDI alone: --device nvidia.com/gpu=..., not --gpus"
        yield (
            "where Podman does not know the image by its short name, name Docker's registry under "
            "unqualified-search-registries in registries.conf"
        )
