"""What goes into the image: its distribution, the torch build, the attention package or the build of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.errors import UsageError
from attn_doctor.judgement import source_build, torch_choice, wheel_choice
from attn_doctor.judgement.view import Machine, driver_runs
from attn_doctor.knowledge import attention, images, torch_builds
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.images import Distribution
from attn_doctor.knowledge.index_wheels import IndexWheel, index_wheel
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.knowledge.versions import major, major_minor, numbers
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Absent, Known
from attn_doctor.machine.gather import Facts
from attn_doctor.wheels.catalogue import Wheel, minors
from attn_doctor.wheels.resolve import Key

if TYPE_CHECKING:
    from attn_doctor.judgement.backend import Backend

XFORMERS, SAGE = "xformers", "sageattention"
WISH = r"(?a)\d{1,3}\.\d{1,3}(\.\d{1,3})?(\+cu\d{2,3})?"


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """A source build in a stage of its own."""

    package: str
    version: str
    image: str
    archs: tuple[str, ...]
    settings: source_build.Settings
    memory_known: bool
    """False: nobody could read how much there is, so one compiler runs at a time."""


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one image. Neither a file nor a build: torch itself brings the backend."""

    distribution: Distribution
    torch: Build
    wheel: Wheel | None = None
    pure: IndexWheel | None = None
    """A file without compiled code, which stands in no catalogue."""
    build: Compiled | None = None

    @property
    def version(self) -> str | None:
        """Of the attention package."""
        found = self.wheel or self.pure or self.build
        return found.version if found else None


def hosted(machine: Machine) -> Machine:
    """The machine with every GPU that a container would get: the visible ones, or all where none is."""
    if machine.nvidia or "CUDA_VISIBLE_DEVICES" not in machine.environment:
        return machine
    readings = machine.facts.readings | {"environment": Known({}, source="the container")}
    return machine.turned_into(msgspec.structs.replace(machine.facts, readings=readings))


def within(machine: Machine, on: Distribution, torch: str | None = None, nvcc: str | None = None) -> Machine:
    """The machine as a process in the image sees it: this driver and these GPUs, all else of the image."""
    keys = [f"arch={machine.arch}", f"libc=glibc-{on.glibc}", f"python={on.python}", f"gcc={on.gcc}"]
    keys += [f"torch={torch}"] if torch else []
    keys += [f"nvcc={nvcc}"] if nvcc else []
    readings = dict(whatif.simulate(keys).readings)
    for name in ("driver", "memory"):
        readings[name] = machine.facts.readings.get(name, Absent(("not recorded",)))
    readings["gpus"] = Known(machine.nvidia, source="the host")
    return machine.turned_into(Facts(readings=readings))


def candidates(machine: Machine, wish: str | None) -> Iterator[tuple[Build, Distribution]]:
    """Torch builds that this driver and all these GPUs run, with the image for each, the nearest first."""
    served: dict[Build, list[Distribution]] = {}
    for on in _distributions(machine):
        for build in torch_choice.suitable(within(machine, on)):
            if build.cuda and (not machine.driver or driver_runs(machine.driver.version, build.cuda, machine.os)):
                served.setdefault(build, []).append(on)
    for build in _nearest_first(machine, [build for build in served if wish is None or _is_wished(build, wish)]):
        for on in served[build]:
            yield build, on


def check_wish(wish: str) -> str:
    """The wish as it is. Raises UsageError where it cannot be read."""
    if not re.fullmatch(WISH, wish):
        raise UsageError(f"--torch {wish}: expected a version such as 2.8, 2.8.0 or 2.8.0+cu128")
    return wish


def with_backend(machine: Machine, backend: Backend, found: list[tuple[Build, Distribution]]) -> Inside | None:
    """The first of these that can hold the backend: as a wheel, else compiled; None where none can."""
    if backend.package is None:
        first = attention.demands(backend.name).first_torch
        fit = [pair for pair in found if not first or numbers(pair[0].torch) >= numbers(first)]
        return Inside(torch=fit[0][0], distribution=fit[0][1]) if fit else None
    published = minors(backend.package, backend.series)
    for build, on in found:
        if published is None or major_minor(build.torch) in published:
            inside = _by_wheel(machine, backend, build, on)
            if inside:
                return inside
    return _compiled(machine, backend, found)


def key(build: Build, on: Distribution, machine: Machine) -> Key:
    """What decides which file loads in the image."""
    return Key(
        os="linux",
        arch=machine.arch,
        libc=f"glibc-{on.glibc}",
        python=on.python or "",
        torch=f"{build.torch}+{build.variant}",
        torch_cuda=build.cuda,
        torch_release=True,
        cxx11abi=torch_builds.cxx11abi(build.torch, build.cuda, "linux", machine.arch),
        capabilities=machine.capabilities,
    )


def no_build(machine: Machine, backend: Backend, found: list[tuple[Build, Distribution]]) -> str | None:
    """Why compiling it in an image would fail, for the nearest torch; None where there is none to compile."""
    if (backend.package, backend.series) not in source_build.COMPILED or not found:
        return None
    build, on = found[0]
    if _build_image(build, on, machine) is None:
        return f"no image with nvcc {build.cuda} is known"
    return _refusal(machine, backend, build, on)


def _distributions(machine: Machine) -> list[Distribution]:
    """Those whose Python is the target's go first."""
    own = ".".join(machine.python.version.split(".")[:2]) if machine.python else None
    return sorted(images.table().distributions, key=lambda on: on.python != own)


def _is_wished(build: Build, wish: str) -> bool:
    version, _, variant = wish.partition("+")
    same = build.torch == version or (version.count(".") == 1 and major_minor(build.torch) == version)
    return same and variant in ("", build.variant)


def _nearest_first(machine: Machine, builds: list[Build]) -> list[Build]:
    """The installed build, then the same version, then as `check` would move torch; nothing else binds it here."""
    torch = machine.torch if machine.torch and machine.torch.released and not machine.torch.rocm else None
    readings = {"torch": Known(torch, source="the target")} if torch else {}
    ordered = torch_choice.by_distance(Machine(Facts(readings=dict(readings))), builds)
    if torch is None:
        return ordered
    return sorted(ordered, key=lambda build: (build.torch, build.cuda) != (torch.version.partition("+")[0], torch.cuda))


def _by_wheel(machine: Machine, backend: Backend, build: Build, on: Distribution) -> Inside | None:
    package = backend.package or ""
    found = [
        wheel
        for wheel in wheel_choice.fitting(machine, package, key(build, on, machine), backend.series)
        if all(_has_kernels(wheel, gpu) for gpu in machine.capabilities)
    ]
    if found:
        return Inside(torch=build, distribution=on, wheel=found[0])
    pure = index_wheel(backend.name) if wheel_choice.by_name(machine, package) else None
    return Inside(torch=build, distribution=on, pure=pure) if pure else None


def _has_kernels(wheel: Wheel, gpu: str) -> bool:
    """Whether that release of a package serves the GPU, by what is known beyond its file."""
    least = None
    if wheel.package == XFORMERS:
        least = attention.xformers_floor(wheel.version).min_capability
    elif wheel.package == SAGE:
        least = attention.demands("sage_attention").min_capability_of_series.get(str(major(wheel.version)))
    return least is None or capability(gpu) >= capability(least)


def _compiled(machine: Machine, backend: Backend, found: list[tuple[Build, Distribution]]) -> Inside | None:
    if (backend.package, backend.series) not in source_build.COMPILED:
        return None
    for build, on in found:
        image = _build_image(build, on, machine)
        if image and _refusal(machine, backend, build, on) is None:
            compiled = _build(machine, backend, image)
            return Inside(torch=build, distribution=on, build=compiled) if compiled else None
    return None


def _build(machine: Machine, backend: Backend, image: str) -> Compiled | None:
    """With the memory and the cores of the machine that builds; where memory is not known, one job."""
    row = attention.source_build(backend.package or "", backend.series)
    archs = source_build.architectures(row, machine.capabilities)
    if machine.memory:
        settings = source_build.settings(row, machine.memory.available_bytes, machine.cores, len(archs))
    else:
        took = source_build.minutes(row, 1, 1, len(archs))
        settings = source_build.Settings(1, 1, round(source_build.peak_gib(row, 1), 1), took)
    if settings is None:
        return None
    return Compiled(
        package=row.package,
        version=row.version,
        image=image,
        archs=archs,
        settings=settings,
        memory_known=machine.memory is not None,
    )


def _build_image(build: Build, on: Distribution, machine: Machine) -> str | None:
    """The image whose toolkit is of torch's own CUDA, major and minor."""
    return images.tag(build.cuda, "devel", on.name, machine.arch) if build.cuda else None


def _refusal(machine: Machine, backend: Backend, build: Build, on: Distribution) -> str | None:
    inside = within(machine, on, torch=f"{build.torch}+{build.variant}", nvcc=build.cuda)
    return source_build.refusal(inside, inside.capabilities, backend.package or "", backend.series)
