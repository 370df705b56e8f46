"""The machine in a few rows of text: what stands above the table of backends."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attn_doctor.execute.privacy import HOME_OF_NOBODY
from attn_doctor.judgement.view import Machine, driver_runs
from attn_doctor.knowledge import capability, cuda
from attn_doctor.knowledge.frameworks import framework

if TYPE_CHECKING:
    from attn_doctor.machine.probes.gpus import Gpu

GIB = 1 << 30
Row = tuple[str, str]


def target(machine: Machine) -> str:
    """'target  .venv · Python 3.11.9'."""
    python = machine.python
    if python is None:
        return f"target  {machine.unknown('python') or 'none'}"
    place = short(python.prefix) if python.prefix else "imagined"
    said = f"target  {place} · Python {python.version}{' free-threaded' if python.free_threaded else ''}"
    return f"{said} · attn-doctor's own" if python.own else said


def short(path: str) -> str:
    """A path as people would type it: from here, or from home."""
    home = os.path.expanduser("~").rstrip("/")
    here = os.getcwd()
    nobodys = HOME_OF_NOBODY + here[len(home) :] if home and f"{here}/".startswith(f"{home}/") else here
    for start, sign in ((here, ""), (nobodys, ""), (home, "~/"), (HOME_OF_NOBODY, "~/")):
        if path.startswith(start.rstrip("/") + "/"):
            return sign + path[len(start.rstrip("/")) + 1 :]
    return path


def rows(machine: Machine, verbose: bool) -> Iterator[Row]:
    """Label and text; what there is nothing to say about has no row."""
    yield from _gpus(machine)
    listed: list[tuple[str, str | None]] = [
        ("driver", _driver(machine)),
        ("torch", _torch(machine)),
        ("toolkit", _toolkit(machine)),
        ("build", _build(machine)),
    ]
    if verbose:
        listed += _details(machine)
    yield from ((label, text.replace(f"{HOME_OF_NOBODY}/", "~/")) for label, text in listed if text)


def _details(machine: Machine) -> list[tuple[str, str | None]]:
    arches = machine.torch.arch_list if machine.torch else None
    toolkits = machine.toolkits
    return [
        ("code", capability.short(arches) + " in torch" if arches else None),
        ("cuda home", f"{toolkits.build_root}, by {toolkits.build_by}" if toolkits and toolkits.build_root else None),
        ("system", _system(machine)),
        ("disk", _disk(machine)),
        ("packages", ", ".join(f"{name} {package.version}" for name, package in machine.packages.items())),
        *_frameworks(machine),
        ("env", ", ".join(f"{name}={value}" for name, value in machine.environment.items())),
    ]


def _frameworks(machine: Machine) -> list[tuple[str, str | None]]:
    """What each installed framework takes as an attention implementation."""
    found = ((name, package, framework(name, package.version)) for name, package in machine.packages.items())
    return [("takes", f"{name} {package.version}: {', '.join(row.accepted)}") for name, package, row in found if row]


def _gpus(machine: Machine) -> Iterator[Row]:
    if why := machine.unknown("gpus"):
        yield "GPU", f"not read: {why}"
    elif not machine.all_gpus:
        yield "GPU", "none"
    kinds: dict[str, list[Gpu]] = {}
    for gpu in machine.all_gpus:
        hidden = "" if gpu in machine.gpus else " · hidden by CUDA_VISIBLE_DEVICES"
        kinds.setdefault(_gpu(gpu) + hidden, []).append(gpu)
    for text, gpus in kinds.items():
        indices = f" {gpus[0].index}" + (f"-{gpus[-1].index}" if len(gpus) > 1 else "")
        yield "GPU" + (indices if len(machine.all_gpus) > 1 else ""), text


def _gpu(gpu: Gpu) -> str:
    parts = [gpu.name]
    if gpu.memory_bytes:
        parts.append(f"{gpu.memory_bytes / GIB:.0f} GiB")
    if gpu.compute_capability:
        parts.append(f"compute capability {gpu.compute_capability}")
    if gpu.gfx:
        parts.append(gpu.gfx)
    if gpu.mig:
        parts.append(f"MIG: {', '.join(gpu.mig.instances) or 'on, no instance'}")
    if gpu.fault:
        parts.append(gpu.fault)
    return " · ".join(parts)


def _driver(machine: Machine) -> str | None:
    driver = machine.driver
    if driver is None:
        if why := machine.unknown("driver"):
            return f"not read: {why}"
        return "none loaded" if any(gpu.vendor == "nvidia" for gpu in machine.all_gpus) else None
    if driver.fault:
        return f"{driver.version} · {driver.fault}"
    majors = [str(major) for major in cuda.majors() if driver_runs(driver.version, f"{major}.0", machine.os)]
    return f"{driver.version} · runs every CUDA {_and(majors)} build of torch" if majors else driver.version


def _and(items: Sequence[str]) -> str:
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def _torch(machine: Machine) -> str:
    torch = machine.torch
    if torch is None:
        why = machine.unknown("torch")
        return f"not read: {why}" if why else "not installed"
    parts = [torch.version]
    if torch.cpu_only and machine.os != "macos":
        parts.append("CPU build")
    elif torch.cuda and "+cu" not in torch.version:
        parts.append(f"CUDA {torch.cuda}")
    elif torch.rocm and "+rocm" not in torch.version:
        parts.append(f"ROCm {torch.rocm}")
    if torch.cuda and machine.capabilities:
        many = len(machine.gpus) > 1
        lacking = [str(gpu.index) for gpu in machine.gpus if machine.lacks_code(gpu)]
        if lacking:
            parts.append(f"no code for GPU {', '.join(lacking)}" if many else "no code for this GPU")
        elif torch.arch_list:
            parts.append(f"has code for {'these GPUs' if many else 'this GPU'}")
    return " · ".join(parts)


def _toolkit(machine: Machine) -> str | None:
    toolkits = machine.toolkits
    if toolkits is None:
        return None
    if len(toolkits.found) == 1:
        return f"nvcc {toolkits.found[0].version or 'of unknown version'} · {short(toolkits.found[0].root)}"
    said = ", ".join(f"{toolkit.version or '?'} ({toolkit.root})" for toolkit in toolkits.found)
    taken = f" · a build takes {toolkits.build.version}, by {toolkits.build_by}" if toolkits.build else ""
    return f"nvcc {said}{taken}"


def _build(machine: Machine) -> str:
    compiler = machine.compiler
    parts = [f"{compiler.family} {compiler.version}" if compiler else "no C++ compiler"]
    ninja = machine.facts.readings.get("ninja")
    parts.append("ninja" if getattr(ninja, "value", None) else "no ninja")
    if machine.memory:
        parts.append(f"{machine.memory.available_bytes / GIB:.1f} GiB memory free")
    cpu = getattr(machine.facts.readings.get("cpu"), "value", None)
    if cpu:
        parts.append(f"{cpu.cores} core{'s' if cpu.cores != 1 else ''}")
    return " · ".join(parts)


def _system(machine: Machine) -> str:
    system = machine.system
    if system is None:
        return "not read"
    parts = [system.distribution or system.os, system.arch]
    if machine.libc:
        parts.append(f"{machine.libc.family} {machine.libc.version}")
    if system.wsl:
        parts.append("WSL")
    if system.container:
        parts.append(f"container ({system.container})")
    return " · ".join(parts)


def _disk(machine: Machine) -> str | None:
    disk = getattr(machine.facts.readings.get("disk"), "value", None)
    if disk is None:
        return None
    return " · ".join(f"{place.purpose} {place.free_bytes / GIB:.0f} GiB free" for place in disk.places)
