"""Conditions that several backends share: each yields the obstacles it sees, and nothing where all is well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement.backend import Obstacle
from attn_doctor.judgement.need import FEATURES
from attn_doctor.knowledge.attention import Demands, Exclusion
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import numbers, public

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu


def cuda_package(
    machine: Machine, gpu: Gpu | None, need: Need, demands: Demands, version: str | None = None
) -> Iterator[Obstacle]:
    """What every package of CUDA kernels takes: a GPU it serves, what the model needs, a driver, a CUDA torch."""
    yield from nvidia_gpu(machine, gpu, demands)
    yield from needs(need, demands, gpu, version)
    yield from driver(machine)
    yield from torch(machine, gpu)


def nvidia_gpu(machine: Machine, gpu: Gpu | None, demands: Demands) -> Iterator[Obstacle]:
    """An NVIDIA GPU of sufficient capability, on an operating system that has CUDA."""
    if machine.os == "macos":
        yield Obstacle("unsupported", "macOS has no CUDA")
    elif gpu is None:
        yield no_gpu(machine)
    elif gpu.vendor != "nvidia":
        yield Obstacle("unsupported", f"{gpu.name} is no NVIDIA GPU")
    else:
        yield from capable(gpu, demands)


def no_gpu(machine: Machine) -> Obstacle:
    """Why there is no GPU to judge: none is there, none is visible, or nobody could look."""
    if why := machine.unknown("gpus"):
        return Obstacle("blocked", f"the GPUs could not be read: {why}")
    if machine.all_gpus:
        hidden = machine.environment.get("CUDA_VISIBLE_DEVICES", "")
        return Obstacle("blocked", f"CUDA_VISIBLE_DEVICES={hidden!r} hides every GPU")
    return Obstacle("unsupported", "this machine has no GPU")


def capable(gpu: Gpu, demands: Demands) -> Iterator[Obstacle]:
    """A compute capability inside what the backend's code serves."""
    if gpu.fault:
        yield Obstacle("blocked", f"{gpu.name}: {gpu.fault}")
    elif gpu.compute_capability is None:
        yield Obstacle("blocked", f"the compute capability of {gpu.name} is not known; give it with --what-if cc=X.Y")
    else:
        have = capability(gpu.compute_capability)
        if demands.min_capability and have < capability(demands.min_capability):
            yield Obstacle(
                "unsupported",
                f"needs capability {demands.min_capability}; this GPU has {gpu.compute_capability}",
            )
        if demands.max_capability_major and have[0] > demands.max_capability_major:
            yield Obstacle("unsupported", f"has no code for compute capability {gpu.compute_capability}")


def driver(machine: Machine) -> Iterator[Obstacle]:
    """A driver that is loaded and runs torch's CUDA, or a torch that this driver runs."""
    if machine.driver is None:
        why = machine.unknown("driver")
        yield Obstacle("blocked", f"the driver could not be read: {why}" if why else "no NVIDIA driver is loaded")
    elif machine.driver.fault:
        yield Obstacle("blocked", f"the driver does not answer: {machine.driver.fault}")
    elif machine.torch and machine.torch.cuda and not machine.driver_serves:
        from attn_doctor.judgement import torch_choice
        from attn_doctor.knowledge import cuda

        floor = cuda.driver_floor(machine.torch.cuda, machine.os)
        move = torch_choice.best(machine)
        said = f"driver {machine.driver.version} is older than {floor}, the minimum for CUDA {machine.torch.cuda}"
        yield (
            Obstacle("installable", f"{said}; {torch_choice.label(move)} runs on it")
            if move
            else Obstacle("blocked", said)
        )


def torch(machine: Machine, gpu: Gpu | None, by_package: bool = True) -> Iterator[Obstacle]:
    """A torch with a CUDA build that has code for this GPU, or a published one that could take its place.

    `by_package`: the torch to move to is named with the file that fits it, not here.
    """
    installed = machine.torch
    problem = None
    if installed is None:
        why = machine.unknown("torch")
        problem = f"torch could not be read: {why}" if why else "torch is not installed"
    elif machine.torch_fault:
        yield Obstacle("installable", machine.torch_fault)
        return
    elif installed.rocm or installed.xpu:
        problem = f"torch {installed.version} is not a CUDA build"
    elif installed.cuda is None:
        problem = f"torch {installed.version} is a CPU build"
    elif gpu and machine.lacks_code(gpu):
        problem = "torch has no code for this GPU"
    if problem is None:
        return
    from attn_doctor.judgement import torch_choice  # only where another torch is looked for

    move = torch_choice.best(machine)
    if move is None:
        yield Obstacle("blocked", problem)
        yield from torch_is_held(machine)
    else:
        yield Obstacle("installable", problem if by_package else f"{problem}; install {torch_choice.label(move)}")


def torch_is_held(machine: Machine) -> Iterator[Obstacle]:
    """Why no other torch comes in question: a package holds the one that is there, or none was published."""
    from attn_doctor.judgement import torch_choice

    held = torch_choice.held_back(machine)
    for why in held:
        yield Obstacle("blocked", why)
    if held:
        yield Obstacle("blocked", "in an environment of its own another torch can stand beside this one")
    else:
        yield Obstacle("blocked", "no published torch fits this machine")


def needs(need: Need, demands: Demands, gpu: Gpu | None, version: str | None) -> Iterator[Obstacle]:
    """What the model asks for and this backend lacks."""
    on = gpu.compute_capability if gpu else None
    if need.dtype and demands.dtypes:
        lowest = demands.dtypes.get(need.dtype)
        if lowest is None:
            yield Obstacle("unsupported", f"has no {need.dtype}")
        elif on and capability(on) < capability(lowest):
            yield Obstacle("unsupported", f"has {need.dtype} from compute capability {lowest}; this GPU has {on}")
    if need.head_dim and demands.head_dim_max and need.head_dim > demands.head_dim_max:
        yield Obstacle("unsupported", f"head dimensions go up to {demands.head_dim_max}; {need.head_dim} is asked for")
    for feature in need.features:
        yield from _feature(feature, demands, version)
    for exclusion in demands.exclusions:
        if excludes(exclusion, need, on):
            asked = f"; {need.head_dim} is asked for" if exclusion.head_dim else ""
            yield Obstacle("unsupported", exclusion.reason + asked)


def excludes(exclusion: Exclusion, need: Need, on: str | None) -> bool:
    """Whether this combination is what is asked for, on this GPU."""
    if not set(exclusion.features) <= set(need.features):
        return False
    if exclusion.dtype and need.dtype != exclusion.dtype:
        return False
    if exclusion.head_dim and not (need.head_dim and exclusion.head_dim[0] <= need.head_dim <= exclusion.head_dim[1]):
        return False
    if exclusion.majors and (on is None or capability(on)[0] not in exclusion.majors):
        return False
    return (not exclusion.only_on or on in exclusion.only_on) and (not exclusion.not_on or on not in exclusion.not_on)


def new_enough(machine: Machine, demands: Demands) -> Iterator[Obstacle]:
    """A torch that already has the backend inside."""
    torch = machine.torch
    if torch and demands.first_torch and numbers(public(torch.version)) < numbers(demands.first_torch):
        yield Obstacle("installable", f"needs torch {demands.first_torch}; {torch.version} is installed")


def _feature(feature: str, demands: Demands, version: str | None) -> Iterator[Obstacle]:
    offered = demands.features.get(feature)
    if offered is False:
        yield Obstacle("unsupported", f"has no {FEATURES[feature]}")
    elif isinstance(offered, str) and version and numbers(version) < numbers(offered):
        said = f"version {version} has no {FEATURES[feature]}; {offered} and later have"
        yield Obstacle("blocked", said)
