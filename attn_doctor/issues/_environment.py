"""Facts as the scripts of these projects name them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.issues._project import NOT_READ, Line

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.judgement.view import Machine

NOT_FOUND = "not found"
GIB = 1 << 30


def unknown_or(machine: Machine, probe: str, value: str | None) -> str:
    """The value; where there is none, whether it is not there or could not be read."""
    if value is not None:
        return value
    return f"not read ({why})" if (why := machine.unknown(probe)) else NOT_FOUND


def os(machine: Machine) -> str:
    """'Debian GNU/Linux 12 (bookworm) (x86_64)'."""
    system = machine.system
    name = (system.distribution if system else None) or machine.os
    where = f", in {system.container}" if system and system.container else ""
    return f"{name} ({machine.arch}){', WSL' if system and system.wsl else ''}{where}"


def libc(machine: Machine) -> str:
    """'glibc-2.36'."""
    return f"{machine.libc.family}-{machine.libc.version}" if machine.libc else "N/A"


def compiler(machine: Machine, family: str) -> str:
    """The version of the C++ compiler that a build takes, where it is of that family."""
    found = machine.compiler
    if found is not None and found.family == family:
        return found.version
    return unknown_or(machine, "compiler", None) if found is None else "not asked"


def python(machine: Machine) -> str:
    """'3.11.7 (64-bit runtime), venv'."""
    found = machine.python
    if found is None:
        return unknown_or(machine, "python", None)
    threads = ", free-threaded" if found.free_threaded else ""
    return f"{found.version} (64-bit runtime), {found.implementation}{threads}, {found.kind}"


def platform(machine: Machine) -> str:
    """'Linux-6.1.0-x86_64-with-glibc2.36', as platform.platform() has it."""
    release = machine.system.release if machine.system else None
    name = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}.get(machine.os, machine.os)
    libc = f"with-{machine.libc.family}{machine.libc.version}" if machine.libc else None
    return "-".join(part for part in (name, release, machine.arch, libc) if part)


def torch(machine: Machine) -> str:
    """'2.13.0+cu130', and by whom it was installed."""
    return machine.torch.version if machine.torch else unknown_or(machine, "torch", None)


def toolkit(machine: Machine) -> str:
    """The nvcc that a build takes, and others that lie beside it."""
    found = machine.toolkits
    if found is None or not found.found:
        return unknown_or(machine, "toolkits", None)
    others = sorted({one.version or "?" for one in found.found} - {found.version or ""})
    taken = found.version or "not settled"
    return f"{taken} (beside it: {', '.join(others)})" if others and found.version else ", ".join([taken, *others])


def gpus(machine: Machine) -> list[str]:
    """'GPU 0: NVIDIA L4, compute capability 8.9, 22 GiB', as nvidia-smi -L counts them."""
    found: list[str] = []
    for gpu in machine.all_gpus:
        said = [gpu.name, f"compute capability {gpu.compute_capability}" if gpu.compute_capability else gpu.gfx]
        said.append(f"{gpu.memory_bytes / GIB:.0f} GiB" if gpu.memory_bytes else None)
        said.append(f"{len(gpu.mig.instances)} MIG instances" if gpu.mig else None)
        said.append(gpu.fault)
        found.append(f"GPU {gpu.index}: {', '.join(one for one in said if one)}")
    return found or [unknown_or(machine, "gpus", None)]


def driver(machine: Machine) -> str:
    """The version, the kind of module, and what is wrong with it."""
    found = machine.driver
    if found is None:
        return unknown_or(machine, "driver", None)
    module = {True: ", open kernel module", False: ", proprietary kernel module", None: ""}[found.open_kernel_module]
    return f"{found.version}{module}{f', {found.fault}' if found.fault else ''}"


def cudnn(machine: Machine) -> str:
    """By the package that torch takes it from."""
    names = ("nvidia-cudnn-cu13", "nvidia-cudnn-cu12", "nvidia-cudnn-cu11")
    found = next((name for name in names if name in machine.packages), None)
    return f"{machine.packages[found].version} ({found})" if found else NOT_FOUND


def cuda_available(machine: Machine) -> str:
    """By the facts: driver, GPU and build of torch."""
    return f"{machine.device in ('cuda', 'rocm')} (by driver, GPU and build; {NOT_READ.partition('(')[2]}"


def cpu(machine: Machine) -> list[Line]:
    """Cores and memory: a model name is in no fact."""
    memory = machine.memory
    said = f"{memory.total_bytes / GIB:.0f} GiB" if memory else unknown_or(machine, "memory", None)
    limit = f", {memory.limit_bytes / GIB:.0f} GiB of them in this cgroup" if memory and memory.limit_bytes else ""
    return [
        Line("Architecture", machine.arch),
        Line("CPU(s)", f"{machine.cores} usable"),
        Line("Memory", f"{said}{limit}"),
    ]


def packages(machine: Machine) -> list[str]:
    """'flash-attn==2.8.3 (cu12torch2.8cxx11abiTRUE)': what decides about attention, torch included."""
    found = {
        name: package.version + (f" ({package.build})" if package.build else "")
        for name, package in machine.packages.items()
    }
    if machine.torch:
        found.setdefault("torch", machine.torch.version)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def variables(machine: Machine) -> list[str]:
    """The variables that decide what a build takes or a process sees."""
    return [f"{name}={value}" for name, value in sorted(machine.environment.items())]


def collected(machine: Machine) -> Iterator[Line]:
    """The lines of torch's collect_env, in its order and by its names."""
    torch_dist = machine.torch
    yield Line("PyTorch version", torch(machine))
    yield Line("Is debug build", NOT_READ)
    yield Line("CUDA used to build PyTorch", (torch_dist.cuda if torch_dist else None) or "None")
    yield Line("ROCM used to build PyTorch", (torch_dist.rocm if torch_dist else None) or "N/A")
    yield Line("", "")
    yield Line("OS", os(machine))
    yield Line("GCC version", compiler(machine, "gcc"))
    yield Line("Clang version", compiler(machine, "clang"))
    yield Line("CMake version", "not asked")
    yield Line("Libc version", libc(machine))
    yield Line("", "")
    yield Line("Python version", python(machine))
    yield Line("Python platform", platform(machine))
    yield Line("Is CUDA available", cuda_available(machine))
    yield Line("CUDA runtime version", toolkit(machine))
    yield Line("CUDA_MODULE_LOADING set to", NOT_READ)
    yield from _listed("GPU models and configuration", gpus(machine))
    yield Line("Nvidia driver version", driver(machine))
    yield Line("cuDNN version", cudnn(machine))
    yield Line("Is XPU available", NOT_READ)
    yield Line("HIP runtime version", (torch_dist.rocm if torch_dist else None) or "N/A")
    yield Line("MIOpen runtime version", NOT_READ if torch_dist and torch_dist.rocm else "N/A")
    yield Line("Is XNNPACK available", NOT_READ)
    yield Line("Caching allocator config", _allocator(machine))
    yield Line("", "")
    yield Line("CPU", "")
    yield from cpu(machine)
    yield Line("", "")
    yield Line("Versions of relevant libraries", "")
    for one in packages(machine):
        yield Line("[pip3]", one)


def _listed(name: str, values: list[str]) -> Iterator[Line]:
    if len(values) == 1:
        yield Line(name, values[0])
        return
    yield Line(name, "")
    for value in values:
        number, _, rest = value.partition(": ")
        yield Line(number, rest)


def _allocator(machine: Machine) -> str:
    names = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
    return next((machine.environment[name] for name in names if name in machine.environment), "N/A")


def judged(report: Report) -> Iterator[Line]:
    """What attn-doctor itself says of this machine: findings, and which backends run."""
    for finding in report.findings:
        yield Line(f"{finding.code} {finding.severity}", finding.detail)
    for verdict in report.backends:
        reason = f": {verdict.reasons[0]}" if verdict.reasons else ""
        yield Line(f"{verdict.name} {verdict.version or ''}".strip(), f"{verdict.status}{reason}")
