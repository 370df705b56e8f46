"""Which CUDA toolkit to put beside everything else for a source build, and whether one can be had without root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attn_doctor.judgement import source_build
from attn_doctor.knowledge import attention, build_hazards, cuda, toolkit_packages
from attn_doctor.knowledge.attention import SourceBuild
from attn_doctor.knowledge.versions import major, major_minor, numbers

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

ARCHES = ("x86_64", "aarch64")
CONDA = ("mamba", "conda", "micromamba", "pixi")


def fetchable(machine: Machine, capabilities: Sequence[str], package: str, series: str) -> str | None:
    """The CUDA of a toolkit that attn-doctor can bring by itself, and with which the build then succeeds."""
    if machine.torch is None or machine.torch.cuda is None or machine.compiler is None:
        return None
    if source_build.beside(machine, capabilities, package, series) is not None:
        return None
    gcc = machine.compiler.version if machine.compiler.family == "gcc" else None
    minor = wanted(machine, machine.torch.cuda, capabilities, gcc)
    by_wheels = minor is not None and toolkit_packages.wheels(minor, machine.arch) is not None
    return minor if by_wheels or any(name in machine.tools for name in CONDA) else None


def wanted(
    machine: Machine,
    torch_cuda: str,
    capabilities: Sequence[str],
    host_gcc: str | None,
    build: SourceBuild | None = None,
) -> str | None:
    """The CUDA major.minor to fetch for a build (of flash-attn 2 where not said); None where nothing fits.

    Of torch's major: its own minor, else the nearest above, else the nearest below.
    """
    row = build or attention.source_build("flash-attn", "2")
    own = numbers(major_minor(torch_cuda))
    least = numbers(source_build.least_nvcc(row, capabilities))
    fit = [minor for minor in obtainable(machine) if major(minor) == major(torch_cuda) and numbers(minor) >= least]
    fit = [minor for minor in fit if _accepts(minor, host_gcc) and not _clashes(machine, minor)]
    above = [minor for minor in fit if numbers(minor) >= own]
    return min(above, key=numbers) if above else max(fit, key=numbers, default=None)


def why_none(machine: Machine, torch_cuda: str, capabilities: Sequence[str], host_gcc: str | None) -> str | None:
    """What keeps a toolkit from being put beside, where one of torch's CUDA major could be had; None: nothing does."""
    if wanted(machine, torch_cuda, capabilities, host_gcc) is not None:
        return None
    of_major = [minor for minor in obtainable(machine) if major(minor) == major(torch_cuda)]
    if not of_major:
        return f"no way is known to put a CUDA {major(torch_cuda)} toolkit beside"
    least = source_build.least_nvcc(attention.source_build("flash-attn", "2"), capabilities)
    new_enough = [minor for minor in of_major if numbers(minor) >= numbers(least)]
    if not new_enough:
        return f"no toolkit of CUDA {major(torch_cuda)} compiles for compute capability {', '.join(capabilities)}"
    newest = max(new_enough, key=numbers)
    limit = _newest_gcc(newest)
    if host_gcc and limit and major(host_gcc) > limit:
        return (
            f"a CUDA {newest} toolkit could be put beside, but takes gcc {limit} at most, and gcc is {host_gcc}: "
            f"install gcc {limit} and g++ {limit}, and name them by CC and CXX"
        )
    return None


def obtainable(machine: Machine) -> tuple[str, ...]:
    """The CUDAs to which a way without root is known, oldest first."""
    return toolkit_packages.minors(machine.arch) if served(machine) else ()


def served(machine: Machine) -> bool:
    """NVIDIA's compilers run on Linux with glibc; Windows builds need a set-up that no plan makes."""
    musl = machine.libc is not None and machine.libc.family == "musl"
    return machine.os == "linux" and machine.arch in ARCHES and not musl


def _accepts(minor: str, host_gcc: str | None) -> bool:
    """Whether that nvcc takes the host's gcc; True where that is not known."""
    if host_gcc is None:
        return True
    newest, oldest = _newest_gcc(minor), cuda.min_gcc(minor)
    have = major(host_gcc)
    return (newest is None or have <= newest) and (oldest is None or have >= oldest)


def _newest_gcc(minor: str) -> int | None:
    """Where it is not known of that nvcc: what older ones take, a newer one takes too."""
    older = (row.max_gcc for row in cuda.table().nvcc if row.max_gcc and numbers(row.cuda) < numbers(minor))
    return cuda.max_gcc(minor) or max(older, default=None)


def _clashes(machine: Machine, minor: str) -> bool:
    """Whether its headers declare what this glibc declares otherwise; conda's compiler has a glibc of its own."""
    libc = machine.libc
    if libc is None or libc.family != "glibc" or "conda" in ((machine.compiler and machine.compiler.path) or ""):
        return False
    return any(numbers(minor) < numbers(row.cuda_before) for row in build_hazards.clashing(libc.version))
