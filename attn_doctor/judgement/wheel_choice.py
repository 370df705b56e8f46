"""Whether a published wheel fits this machine, as it is or after a move of torch, or a source build can succeed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement import torch_choice
from attn_doctor.judgement.backend import Obstacle
from attn_doctor.knowledge import attention, cuda, torch_builds
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import major, major_minor, numbers, public
from attn_doctor.wheels.catalogue import Wheel, minors
from attn_doctor.wheels.resolve import Key, fitting

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.knowledge.torch_builds import Build
    from attn_doctor.machine.probes.gpus import Gpu

GIB = 1 << 30


def key(machine: Machine, gpu: Gpu | None) -> Key:
    """What decides which file fits, for one GPU of the machine."""
    torch = machine.torch
    libc = machine.libc
    python = machine.python
    version = ".".join(python.version.split(".")[:2]) if python else ""
    return Key(
        os=machine.os,
        arch=machine.arch,
        libc=f"{libc.family}-{libc.version}" if libc else None,
        python=version + ("t" if python and python.free_threaded else ""),
        torch=torch.version if torch else None,
        torch_cuda=torch.cuda if torch else None,
        torch_release=bool(torch and torch.released),
        cxx11abi=torch.cxx11abi if torch else None,
        capabilities=(gpu.compute_capability,) if gpu and gpu.compute_capability else (),
    )


def fits(machine: Machine, gpu: Gpu | None, package: str, series: str = "2") -> tuple[Wheel, ...]:
    """The published files of a package that load here as things are, best first."""
    return fitting(package, key(machine, gpu), series=series)


def after_moving_to(build: Build, now: Key) -> Key:
    """The key once torch has been replaced by that build."""
    return msgspec.structs.replace(
        now,
        torch=build.torch,
        torch_cuda=build.cuda,
        torch_release=True,
        cxx11abi=torch_builds.cxx11abi(build.torch, build.cuda, now.os, now.arch),
    )


def ways(machine: Machine, gpu: Gpu | None, package: str, series: str = "2") -> Iterator[Obstacle]:
    """How a package that is not there could come in: the nearest way, or the proof that there is none."""
    usable = machine.torch is not None and machine.torch.cuda is not None and not (gpu and machine.lacks_code(gpu))
    found = fits(machine, gpu, package, series) if usable else ()
    if found:
        yield from by_wheel(found[0])
        return
    refusal = build_refusal(machine, gpu, package, series) if usable else None
    if usable and refusal is None:
        yield Obstacle("installable", "no wheel fits; it can be compiled here")
    elif moved := after_a_move(machine, gpu, package, series):
        yield from by_wheel(moved[1], moved[0])
    elif usable:
        yield Obstacle("blocked", f"no wheel for {fitted_to(machine)}")
        yield Obstacle("blocked", f"a source build: {refusal}")
    else:
        yield Obstacle("blocked", "no wheel for any torch that runs here")


def by_wheel(wheel: Wheel, move: Build | None = None) -> Iterator[Obstacle]:
    """A published file, and whose."""
    yield Obstacle("installable", described(wheel, move))
    if wheel.trust == "community":
        yield Obstacle("installable", f"the file is of {wheel.source}; upstream has published none that fits")


def after_a_move(machine: Machine, gpu: Gpu | None, package: str, series: str) -> tuple[Build, Wheel] | None:
    """The nearest torch build for which a wheel of the package exists.

    None beside a torch that no index carries: who has a vendor's or a nightly build does not want it swapped.
    """
    if machine.torch is not None and not machine.torch.released:
        return None
    now = key(machine, gpu)
    published = minors(package, series)
    for build in torch_choice.by_distance(machine, torch_choice.suitable(machine)):
        if published is None or major_minor(build.torch) in published:
            found = fitting(package, after_moving_to(build, now), series=series)
            if found:
                return build, found[0]
    return None


def described(wheel: Wheel, move: Build | None = None) -> str:
    """'2.8.3, community wheel', '1.0.9 with torch 2.5.1+cu124, upstream wheel'."""
    moved = f" with {torch_choice.label(move)}" if move else ""
    return f"{wheel.version}{moved}, {wheel.trust} wheel"


def fitted_to(machine: Machine) -> str:
    """'torch 2.14, cp312, linux x86_64'."""
    tag = machine.python.tag if machine.python else "this Python"
    torch = machine.torch
    named = "no torch" if torch is None else torch.version if not torch.released else major_minor(torch.version)
    return f"torch {named}, {tag}, {machine.os} {machine.arch}"


def build_refusal(machine: Machine, gpu: Gpu | None, package: str, series: str) -> str | None:
    """Why compiling the package here would fail; None where it can succeed."""
    if (package, series) != ("flash-attn", "2"):
        return "attn-doctor knows no source build of it"
    row = attention.source_build(package, series)
    torch = machine.torch
    if torch is None or torch.cuda is None:
        return "torch has no CUDA"
    if machine.os == "windows":
        return "on Windows it needs a Visual C++ set-up that attn-doctor does not make"
    if numbers(public(torch.version))[:2] >= numbers(row.max_torch_excluded):
        return f"{package} {row.version} does not compile against torch {torch.version}: {row.why_max}"
    on = gpu.compute_capability if gpu else None
    if on and capability(on)[0] not in row.majors:
        return f"{package} {row.version} compiles nothing for compute capability {on}"
    return (
        _toolkit_refusal(machine, torch.cuda, on, row)
        or _compiler_refusal(machine, torch.cuda)
        or _memory_refusal(machine, row)
    )


def _toolkit_refusal(machine: Machine, runtime: str, on: str | None, row: attention.SourceBuild) -> str | None:
    if machine.toolkits is None:
        return "there is no nvcc"
    versions = [toolkit.version for toolkit in machine.toolkits.found if toolkit.version]
    same = [version for version in versions if major(version) == major(runtime)]
    if not same:
        return f"nvcc is {', '.join(versions)}, torch is CUDA {runtime}: another major"
    newest = max(same, key=numbers)
    least = row.min_nvcc_by_major.get(str(capability(on)[0]), row.min_nvcc) if on else row.min_nvcc
    if numbers(newest) < numbers(least):
        return f"nvcc {newest} is older than {least}, the first that compiles for compute capability {on}"
    return None


def _compiler_refusal(machine: Machine, runtime: str) -> str | None:
    if machine.compiler is None:
        return None if machine.unknown("compiler") else "there is no C++ compiler"
    chosen = machine.toolkits.version if machine.toolkits else None
    newest = cuda.max_gcc(chosen or runtime)
    if machine.compiler.family == "gcc" and newest and major(machine.compiler.version) > newest:
        return f"gcc {machine.compiler.version} is newer than {newest}, the newest that nvcc {chosen} accepts"
    return None


def _memory_refusal(machine: Machine, row: attention.SourceBuild) -> str | None:
    if machine.memory is None:
        return None
    least = row.process_peak_gib + row.reserve_gib
    have = min(machine.memory.total_bytes, machine.memory.limit_bytes or machine.memory.total_bytes)
    if have < least * GIB:
        return f"one compile needs {row.process_peak_gib:g} GiB, and there are {have / GIB:.1f} GiB in all"
    return None
