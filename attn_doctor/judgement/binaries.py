"""What the compiled files prove of an installed package, and the command that brings a build that fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.knowledge import capability
from attn_doctor.knowledge.tables import rows
from attn_doctor.knowledge.versions import major, numbers
from attn_doctor.machine.binaries.fatbin import GpuCode, supported

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.extensions import Extension, Extensions
    from attn_doctor.machine.probes.gpus import Gpu

TORCH_LIBRARIES = ("libtorch", "libc10")
# comes with the driver, not with CUDA: another finding speaks of it
DRIVER_LIBRARIES = ("libcuda.so", "libnvidia-")
CUDA_LIBRARIES = (
    *("libcudart.so", "libcublas.so", "libcublasLt.so", "libcudnn.so", "libcufft.so", "libcurand.so"),
    *("libcusolver.so", "libcusparse.so", "libcusparseLt.so", "libcupti.so", "libnccl.so", "libnvJitLink.so"),
    *("libnvrtc.so", "libnvToolsExt.so"),
)


class Symbol(msgspec.Struct, frozen=True):
    """A symbol that is often missing, in words."""

    mangled: str
    readable: str
    source: str


def first_symbol(file: Extension) -> str:
    """The first missing symbol in words: 'c10::cuda::SetDevice(int)' for '_ZN3c104cuda9SetDeviceEi'.

    By the table where it knows it, else as it was demangled, else as it is.
    """
    symbol = file.missing_symbols[0]
    in_words = file.demangled[0] if file.demangled else symbol
    return next((row.readable for row in rows("symbols", Symbol) if row.mangled == symbol), in_words)


def files(machine: Machine, package: str) -> tuple[Extension, ...]:
    """The compiled files of a package; none where they were not read."""
    return machine.extensions.packages.get(package, ()) if machine.extensions else ()


def packages(machine: Machine, extensions: Extensions) -> Iterator[tuple[str, Extension]]:
    """Every compiled file with its package, of the packages that are installed."""
    for package, found in extensions.packages.items():
        yield from ((package, file) for file in found if package in machine.packages)


def name(file: Extension) -> str:
    return (file.path or file.looked_for).rpartition("/")[2]


def called(machine: Machine, package: str) -> str:
    """'flash-attn 2.8.3'."""
    found = machine.packages.get(package)
    return f"{package} {found.version}" if found else package


def missing_cuda(file: Extension) -> tuple[str, ...]:
    return tuple(library for library in file.missing_libraries if library.startswith(CUDA_LIBRARIES))


def missing_torch(file: Extension) -> tuple[str, ...]:
    return tuple(library for library in file.missing_libraries if library.startswith(TORCH_LIBRARIES))


def is_for_another(file: Extension) -> bool:
    """Whether a file was certainly built for another torch or another CUDA: what it asks them for is not there."""
    return bool(missing_cuda(file) or missing_torch(file) or file.missing_symbols)


def too_new_for(needed: dict[str, str], offered: dict[str, str]) -> tuple[str, ...]:
    """('GLIBCXX_3.4.30',) where that is needed and less is offered."""
    return tuple(
        f"{family}_{version}"
        for family, version in needed.items()
        if family in offered and numbers(version) > numbers(offered[family])
    )


def lacks_libc(machine: Machine, file: Extension) -> str | None:
    """The glibc that a file needs and this system does not have."""
    needed = file.versions.get("GLIBC")
    if machine.libc is None or needed is None:
        return None
    if machine.libc.family != "glibc":
        return f"GLIBC_{needed}"
    return next(iter(too_new_for({"GLIBC": needed}, {"GLIBC": machine.libc.version})), None)


def lacks_libstdcxx(machine: Machine, file: Extension) -> tuple[str, ...]:
    offered = machine.extensions.libstdcxx if machine.extensions else None
    return too_new_for(file.versions, offered.versions) if offered else ()


def proof(machine: Machine, package: str) -> str | None:
    """Why an installed package certainly does not load; None where nothing proves it."""
    for file in files(machine, package):
        said = _proof(machine, file)
        if said:
            return said
    return None


def _proof(machine: Machine, file: Extension) -> str | None:
    if file.path is None:
        return f"its compiled extension {name(file)} is missing"
    if file.unreadable:
        return f"{name(file)} cannot be loaded: {file.unreadable}"
    if lost := [library for library in file.missing_libraries if not library.startswith(DRIVER_LIBRARIES)]:
        return f"{name(file)} needs {lost[0]}, which is not there"
    if file.missing_symbols:
        return f"{name(file)} asks for {first_symbol(file)}, which no library here defines"
    if wanted := lacks_libc(machine, file):
        libc = f"{machine.libc.family} {machine.libc.version}" if machine.libc else "another"
        return f"{name(file)} needs {wanted}; this system has {libc}"
    if versions := lacks_libstdcxx(machine, file):
        return f"{name(file)} needs {versions[0]}, which this libstdc++ does not have"
    return None


def architectures(machine: Machine, package: str) -> tuple[str, ...]:
    """The GPU code of all compiled files of a package together; empty where there is none or it was not read."""
    found = [supported(GpuCode(file.cubins, file.ptx)) for file in files(machine, package)]
    return tuple(dict.fromkeys(arch for arches in found for arch in arches))


def lacks_code(machine: Machine, package: str, gpu: Gpu | None) -> bool:
    """Whether no compiled file of a package has code for that GPU, where there is GPU code at all."""
    arches = architectures(machine, package)
    if not arches or gpu is None or gpu.vendor != "nvidia" or gpu.compute_capability is None:
        return False
    return not capability.covers(arches, gpu.compute_capability)


def series(machine: Machine, package: str) -> str:
    """flash-attn 1 and 2 share a name."""
    found = machine.packages.get(package)
    return "1" if package == "flash-attn" and found and major(found.version) == 1 else "2"


def repair(machine: Machine, package: str, gpu: Gpu | None = None) -> tuple[str, ...]:
    """Commands that bring a build that fits: for this torch, else with a move of torch; else take the package away."""
    from attn_doctor.judgement import commands, wheel_choice  # the catalogue: only where a file is looked for

    on = gpu or next(iter(machine.nvidia), None)
    now = wheel_choice.key(machine, on)
    if found := wheel_choice.fitting(machine, package, now, series(machine, package)):
        return (anew(commands.install_wheel(machine, found[0])),)
    moved = wheel_choice.after_a_move(machine, on, package, series(machine, package)) if on else None
    if moved:
        build, wheel = moved
        return (f"{commands.install_torch(machine, build)} && {anew(commands.install_wheel(machine, wheel, build))}",)
    return (uninstall(machine, package),)


def mended(machine: Machine, package: str, sentence: str, gpu: Gpu | None = None) -> tuple[str, str]:
    """What a finding says of a package and the command that mends it; where a wheel may not be taken, that too."""
    from attn_doctor.judgement import wheel_choice

    command = repair(machine, package, gpu)[0]
    if command != uninstall(machine, package):
        return sentence, command
    on = gpu or next(iter(machine.nvidia), None)
    return sentence + wheel_choice.note(machine, package, on, series(machine, package)), command


def anew(command: str) -> str:
    """An installed package of the same version would otherwise be taken for the one that is asked for."""
    from attn_doctor.judgement import commands

    return commands.forced(command)


def uninstall(machine: Machine, package: str) -> str:
    import shlex

    from attn_doctor.judgement import commands

    installer = commands.installer(machine)
    yes = "" if installer.startswith("uv ") else " -y"
    return f"{installer.replace(' install', ' uninstall', 1)}{yes} {shlex.quote(package)}"


def together(found: list[tuple[str, str]]) -> tuple[str, tuple[str, ...]]:
    """Sentences and commands of several packages as one detail and one list, each once."""
    detail = " ".join(dict.fromkeys(sentence for sentence, _ in found))
    return detail, tuple(dict.fromkeys(command for _, command in found if command))
