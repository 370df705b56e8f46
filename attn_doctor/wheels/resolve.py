"""Which published wheels fit this machine.

A wheel that may not load is not offered: torch minor, CUDA major, the real C++ ABI, Python, platform,
libc and the GPU code all have to agree. What is not known about a file does not exclude it; what is not
known about torch does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache, partial

import msgspec

from attn_doctor.knowledge.requirements import satisfies
from attn_doctor.knowledge.versions import digits, major, major_minor, numbers, public
from attn_doctor.wheels.catalogue import (
    Alike,
    Single,
    Wheel,
    builds,
    cuda_version,
    package_row,
    pip_torch_abi,
    serves_minor,
    version_key,
    whole,
)

Rank = tuple[object, ...]

WINDOWS_TAGS = {"x86_64": "win_amd64", "aarch64": "win_arm64"}
TWO_SERIES = "flash-attn"


class Key(msgspec.Struct, frozen=True):
    """Everything about a machine and its torch that decides which file loads."""

    os: str
    """linux, windows or macos."""
    arch: str
    """x86_64 or aarch64."""
    libc: str | None
    """'glibc-2.35', 'musl-1.2'; None where not Linux."""
    python: str
    """'3.11', '3.13t'."""
    torch: str | None
    """The full version: '2.8.0+cu128'."""
    torch_cuda: str | None
    """'12.8'; None for CPU and ROCm builds."""
    torch_release: bool
    """False for nightly, development and vendor builds: no published wheel was built against one."""
    cxx11abi: bool | None
    """Of torch; None: unknown."""
    capabilities: tuple[str, ...]
    """Of every GPU that must be served: ('8.6',)."""


def fitting(package: str, key: Key, series: str = "2", sources: Collection[str] | None = None) -> tuple[Wheel, ...]:
    """The wheels that load on this machine, best first; empty where none does.

    `series` picks flash-attn 1.x or 2.x, which share a name; other packages have one series. `sources`: of these alone.
    """
    return whole(partial(_fitting, package, key, series, sources))


def _fitting(package: str, key: Key, series: str, sources: Collection[str] | None) -> tuple[Wheel, ...]:
    minor = major_minor(public(key.torch)) if key.torch else None
    serves: dict[tuple[object, ...], bool] = {}
    found: list[Wheel] = []
    for build in builds(package, minor):
        if sources is not None and build.source not in sources:
            continue
        sign = (build.platform, build.pythons, build.cuda, build.torch, build.requires_python)
        if sign not in serves:  # what thousands share is judged once
            serves[sign] = _may_fit(build, key)
        if serves[sign] and of_series(package, build.version, series):
            found += (wheel for wheel in build.files() if fits(wheel, key))
    return best_first(found, key)


def _may_fit(build: Alike | Single, key: Key) -> bool:
    """By system, Python, torch and CUDA; the rest depends on more than these."""
    one = build.one()
    tags = (named.partition("-") for named in build.pythons)
    return (
        fits_system(one, key)
        and (not is_compiled(one) or fits_torch(one, key))
        and any(
            fits_python(msgspec.structs.replace(one, python_tag=python, abi_tag=abi), key.python)
            for python, _, abi in tags
        )
    )


def best_first(found: Iterable[Wheel], key: Key) -> tuple[Wheel, ...]:
    """These files in the order to try them in, each once."""
    return tuple(_one_per_file(sorted(found, key=lambda wheel: _rank(wheel, key))))


def fits(wheel: Wheel, key: Key) -> bool:
    """Whether this file installs and loads on this machine."""
    return (
        fits_platform(wheel, key)
        and fits_python(wheel, key.python)
        and (not is_compiled(wheel) or (fits_torch(wheel, key) and fits_abi(wheel, key)))
        and fits_gpus(wheel, key.capabilities)
    )


def is_compiled(wheel: Wheel) -> bool:
    """A file for one platform holds machine code, built against one torch and one CUDA."""
    return wheel.platform != "any"


def fits_torch(wheel: Wheel, key: Key) -> bool:
    """A release of torch with CUDA, of the minor (or patch) and the CUDA major the file was built for."""
    return fits_torch_version(wheel, key) and fits_cuda(wheel, key)


def fits_torch_version(wheel: Wheel, key: Key) -> bool:
    """A release of torch, of the minor or, where the package demands it, the patch; '2.8' means any patch."""
    if key.torch is None or not key.torch_release:
        return False
    have = public(key.torch)
    exact = package_row(wheel.package).torch_match == "exact" and have.count(".") > 1
    if exact and wheel.torch is not None and wheel.torch.count(".") > 1 and not wheel.torch.startswith(">="):
        return numbers(wheel.torch) == numbers(have)
    return serves_minor(wheel.torch, major_minor(have))


def fits_cuda(wheel: Wheel, key: Key) -> bool:
    """The CUDA major of torch: the file asks for libcudart.so.12 or .13, and no other will do."""
    cuda = cuda_version(wheel.cuda)
    return cuda is not None and key.torch_cuda is not None and major(cuda) == major(key.torch_cuda)


def fits_abi(wheel: Wheel, key: Key) -> bool:
    """The C++ ABI of file and torch agree; on Windows there is only one."""
    if key.os == "windows" or wheel.cxx11abi is None:
        return True
    return wheel.cxx11abi == torch_abi(key)


def torch_abi(key: Key) -> bool | None:
    """As torch reports it; where it was not asked, what every build of that torch has (the new ABI since 2.7)."""
    if key.cxx11abi is not None or key.torch is None:
        return key.cxx11abi
    # distributions build old torch with the new ABI too, so only a True holds for all of them
    return pip_torch_abi(public(key.torch), key.torch_cuda) or None


def fits_python(wheel: Wheel, python: str) -> bool:
    """By the tags: cp313t is free-threaded, abi3 any later interpreter with the GIL, none any."""
    free_threaded = python.endswith("t")
    have = numbers(python)
    if wheel.requires_python and not satisfies(python.removesuffix("t"), wheel.requires_python):
        return False
    floor = _tag_version(wheel.python_tag)
    if wheel.abi_tag == "none":
        return have >= floor
    if wheel.abi_tag == "abi3":
        return not free_threaded and have >= floor
    suffix = "t" if free_threaded else ""
    return have == floor and wheel.abi_tag == f"{wheel.python_tag}{suffix}"


def fits_platform(wheel: Wheel, key: Key) -> bool:
    """Operating system, architecture and libc."""
    return fits_system(wheel, key) and fits_libc(wheel, key)


def fits_system(wheel: Wheel, key: Key) -> bool:
    """Operating system and architecture."""
    row = package_row(wheel.package)
    if row.os is not None and key.os not in row.os:
        return False
    if not is_compiled(wheel):
        return True
    if key.os == "linux":
        return any(_is_linux_tag(tag, key.arch) for tag in wheel.platform.split("."))
    return key.os == "windows" and wheel.platform == WINDOWS_TAGS.get(key.arch)


def fits_libc(wheel: Wheel, key: Key) -> bool:
    """No compiled file is for musl; of glibc the version counts."""
    if key.libc is not None and key.libc.startswith("musl"):
        return package_row(wheel.package).musl and not is_compiled(wheel)
    return key.os != "linux" or _fits_glibc(wheel, key)


def fits_gpus(wheel: Wheel, capabilities: tuple[str, ...]) -> bool:
    """Every GPU finds code; a file whose code is not known is not excluded."""
    code = wheel.gpu_code if wheel.gpu_code is not None else wheel.gpu_limit
    return code is None or all(any(serves(target, capability) for target in code) for capability in capabilities)


def serves(target: str, capability: str) -> bool:
    """A cubin runs on its own major and an equal or higher minor; one with an `a` only on its very own."""
    digits = target.removeprefix("sm_")
    exact = digits.endswith("a")
    digits = digits.removesuffix("a")
    built = (int(digits[:-1]), int(digits[-1]))
    wanted_major, _, wanted_minor = capability.partition(".")
    wanted = (int(wanted_major), int(wanted_minor or 0))
    return wanted == built if exact else wanted[0] == built[0] and wanted[1] >= built[1]


def _is_linux_tag(tag: str, arch: str) -> bool:
    return tag.startswith(("linux_", "manylinux")) and tag.endswith(f"_{arch}")


def _fits_glibc(wheel: Wheel, key: Key) -> bool:
    if wheel.needs_glibc is None or key.libc is None:
        return True
    return numbers(key.libc.removeprefix("glibc-")) >= numbers(wheel.needs_glibc)


def _tag_version(tag: str) -> tuple[int, ...]:
    """'cp313' -> (3, 13), 'py3' -> (3,)."""
    digits = tag.lstrip("cpy")
    return tuple(int(part) for part in (digits[:1], digits[1:]) if part)


def in_series(wheel: Wheel, series: str) -> bool:
    """Whether the file is of that series of a package that has two."""
    return of_series(wheel.package, wheel.version, series)


def of_series(package: str, version: str, series: str) -> bool:
    """The same of a version."""
    return package != TWO_SERIES or version.partition(".")[0] == series


def at_least_as_good(one: Wheel, other: Wheel) -> bool:
    """By what every file of a build shares: whose it is, and its version."""
    return _coarse_rank(one) <= _coarse_rank(other)


def _coarse_rank(wheel: Wheel) -> Rank:
    return (_is_doubtful(wheel), wheel.trust != "upstream", not wheel.public_recipe, _newest_first(wheel.version))


def _rank(wheel: Wheel, key: Key) -> Rank:
    """Sorts the best first: trust, then version, then how close the build is to this torch."""
    return (
        *_coarse_rank(wheel),
        _lies_under_another_tag(wheel),
        _cuda_distance(wheel, key),
        "manylinux" not in wheel.platform,
        wheel.label_lies,  # an equal file whose name says the truth goes first
        _other_patch(wheel, key),
        _rebuild(wheel),
        wheel.sha256 is None,
        wheel.evidence != "listed",
        [-number for number in numbers((wheel.tag or "").lstrip("v"))],
        wheel.filename,
    )


def _is_doubtful(wheel: Wheel) -> bool:
    """It may not exist, or was built against a torch that was not released yet."""
    return wheel.confidence == "low" or ".dev" in (wheel.built_with_torch or "")


@lru_cache(maxsize=1024)
def _newest_first(version: str) -> tuple[object, ...]:
    release, stage, stage_number, post = version_key(version)
    padded = (*release, *(0,) * (4 - len(release)))
    return tuple(-number for number in (*padded, stage, stage_number, post))


def _lies_under_another_tag(wheel: Wheel) -> bool:
    """An official file put into a later release under its old name: not the one that name stands for."""
    return wheel.source == "fa-official" and wheel.tag != f"v{wheel.version}"


def _cuda_distance(wheel: Wheel, key: Key) -> int:
    """0 for the CUDA minor of torch or a file that names none, then the nearest."""
    cuda = cuda_version(wheel.cuda)
    if cuda is None or "." not in cuda or key.torch_cuda is None:
        return 0
    return abs(_minor(cuda) - _minor(key.torch_cuda))


def _minor(version: str) -> int:
    return int(major_minor(version).partition(".")[2])


def _other_patch(wheel: Wheel, key: Key) -> bool:
    return bool(wheel.torch and key.torch and wheel.torch.count(".") > 1 and wheel.torch != public(key.torch))


def _rebuild(wheel: Wheel) -> int:
    """The later of two builds that differ only there first: `+cu128torch2.8.0.post3` before `.post2`."""
    local = wheel.filename.partition("+")[2].partition("-")[0]
    number = local.rpartition(".post")[2]
    return -int(number) if ".post" in local and digits(number) else 0


def _one_per_file(ranked: list[Wheel]) -> list[Wheel]:
    """A host may publish the same name again under a later tag: the first of the ranking stays."""
    first: dict[tuple[str, str, str | None], Wheel] = {}
    for wheel in ranked:
        first.setdefault((wheel.source, wheel.filename, wheel.cuda), wheel)
    return list(first.values())
