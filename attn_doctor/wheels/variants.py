"""What is published and is no wheel: builds of the Hugging Face Hub's kernels, and conda-forge's packages.

A build of the Hub is chosen by the package `kernels` when a program asks for it, by these rules: the processor and the
operating system; torch's minor, or a floor where the build is for torch's stable ABI; the CUDA major, and a minor not
above torch's. As with wheels no name is made up: a build was seen, or is one that every compliant kernel must offer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import msgspec

from attn_doctor.knowledge import attention, capability, hub_kernels
from attn_doctor.knowledge.attention import Demands
from attn_doctor.knowledge.hub_kernels import Evidence, HubKernel
from attn_doctor.knowledge.versions import major, major_minor, numbers, public
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import cuda_version
from attn_doctor.wheels.resolve import Key, torch_abi

COMPILED = re.compile(
    r"(?a)torch(?P<stable>-stable-abi)?(?P<major>\d)(?P<minor>\d+)(-(?P<abi>cxx11|cxx98))?"
    r"-(?P<cuda>cu\d{3})-(?P<arch>x86_64|aarch64)-(?P<os>linux|windows)"
)
NOARCH = "torch-cuda"
SUBDIRS = {"linux-64": ("linux", "x86_64"), "linux-aarch64": ("linux", "aarch64"), "win-64": ("windows", "x86_64")}


class HubVariant(msgspec.Struct, frozen=True):
    """One build of a kernel. `torch` is a floor where `stable_abi`; None, like `cuda`, for Python only."""

    repo: str
    version: int
    name: str
    torch: str | None
    stable_abi: bool
    cuda: str | None
    cxx11abi: bool | None
    os: str | None
    arch: str | None
    evidence: Evidence
    """`must-build`: a compliant kernel has to offer it; nobody looked whether this one does."""
    as_of: str


class CondaBuild(msgspec.Struct, frozen=True, kw_only=True):
    """One package of conda-forge."""

    package: str
    version: str
    build_number: int
    subdir: str
    cuda: str
    py: str
    pytorch: str
    gpu_archs: str
    glibc_min: str
    source: str
    evidence: str

    @property
    def specs(self) -> tuple[str, ...]:
        """What to ask conda for, so that it brings this build and leaves torch's minor and CUDA alone."""
        return f"{self.package}={self.version}", f"pytorch={self.pytorch}", f"cuda-version={self.cuda}"


class MustBuild(msgspec.Struct, frozen=True):
    """A build that a compliant kernel must offer."""

    variant: str
    platform: str
    backend: str
    source: str
    as_of: str
    evidence: str


def hub_variants(key: Key, repo: str) -> tuple[HubVariant, ...]:
    """The known builds of a Hub kernel that load on this machine, in the order in which `kernels` takes them.

    Empty where none is known: `hub_refusal` says whether one cannot exist or nobody knows.
    """
    kernel = hub_kernels.kernel(repo)
    if kernel is None or _obstacle(key, kernel):
        return ()
    return tuple(sorted((one for one in _known(kernel) if _fits(one, key)), key=_preference))


def hub_refusal(key: Key, repo: str) -> str | None:
    """Why no build of that kernel is offered; None where one fits."""
    kernel = hub_kernels.kernel(repo)
    if kernel is None:
        return f"{repo} is not in the table of kernels"
    if obstacle := _obstacle(key, kernel):
        return obstacle
    if any(_fits(one, key) for one in _known(kernel)):
        return None
    return _not_known(key)


def conda_builds(key: Key, package: str = "flash-attn") -> tuple[CondaBuild, ...]:
    """The packages of conda-forge that fit, the CUDA of torch first; without a torch, which conda then brings along."""
    fitting = [build for build in _conda() if build.package == package and _conda_fits(build, key)]
    return tuple(sorted(fitting, key=lambda build: (build.cuda != key.torch_cuda, _newest_first(build.cuda))))


def parse_variant(name: str) -> re.Match[str] | None:
    """The parts of the name of a compiled CUDA build; None for CPU, ROCm, Metal and Python only."""
    return COMPILED.fullmatch(name)


def _obstacle(key: Key, kernel: HubKernel) -> str | None:
    """What keeps every build of a kernel from loading, whether it is known or not."""
    if key.torch is None or key.torch_cuda is None:
        return "there is no torch with CUDA"
    if not key.torch_release:
        return f"torch {key.torch} is no release of PyTorch's own"
    return _system_obstacle(key, kernel) or _gpu_obstacle(key, kernel) or _cuda_obstacle(key.torch_cuda, kernel)


def _system_obstacle(key: Key, kernel: HubKernel) -> str | None:
    demand = hub_kernels.demand()
    if key.os == "macos" or (kernel.os is not None and key.os not in kernel.os):
        return f"it is not for {key.os}"
    if key.libc is not None and key.libc.startswith("musl"):
        return "its builds are for glibc; this system has musl"
    if key.python and numbers(key.python) < numbers(demand.python):
        return f"kernels of the Hub need Python {demand.python}; this is {key.python}"
    if kernel.gpu_code is None:
        return None
    if key.libc is not None and numbers(key.libc.removeprefix("glibc-")) < numbers(demand.glibc):
        return f"its builds need glibc {demand.glibc}; this system has {key.libc.removeprefix('glibc-')}"
    if key.python.endswith("t") and numbers(key.python) < numbers(demand.free_threaded_since):
        return f"compiled kernels load into a free-threaded Python from {demand.free_threaded_since} on only"
    return None


def _gpu_obstacle(key: Key, kernel: HubKernel) -> str | None:
    lacking = [on for on in key.capabilities if kernel.gpu_code and not capability.covers(kernel.gpu_code, on)]
    if lacking:
        return f"it has no code for {', '.join(lacking)}"
    demands = attention.demands(kernel.backend)
    outside = [on for on in key.capabilities if not _demanded(demands, on)]
    return f"it is not made for {', '.join(outside)}" if outside else None


def _demanded(demands: Demands, on: str) -> bool:
    least, most = demands.min_capability, demands.max_capability_major
    wanted = capability.capability(on)
    return (least is None or wanted >= capability.capability(least)) and (most is None or wanted[0] <= most)


def _cuda_obstacle(cuda: str, kernel: HubKernel) -> str | None:
    if numbers(cuda) < numbers(kernel.cuda_min):
        return f"its builds start at CUDA {kernel.cuda_min}; torch is CUDA {cuda}"
    if kernel.cuda_max and major(cuda) > major(kernel.cuda_max):
        return f"its builds end at CUDA {kernel.cuda_max}; torch is CUDA {cuda}"
    return None


def _known(kernel: HubKernel) -> Iterator[HubVariant]:
    """Builds that were seen; and those that any compliant kernel must offer, of the CUDA versions it is built for."""
    for listed in hub_kernels.builds_of(kernel.repo):
        for name in listed.names:
            yield _variant(kernel, name, listed.evidence, listed.day)
    if kernel.gpu_code is None:
        return
    for row in _must_build():
        parts = parse_variant(row.variant) if row.backend == "cuda" else None
        if parts and _within(cuda_version(parts["cuda"]) or "", kernel):
            yield _variant(kernel, row.variant, "must-build", row.as_of)


def _within(cuda: str, kernel: HubKernel) -> bool:
    return numbers(kernel.cuda_min) <= numbers(cuda) and (
        kernel.cuda_max is None or numbers(cuda) <= numbers(kernel.cuda_max)
    )


def _variant(kernel: HubKernel, name: str, evidence: Evidence, as_of: str) -> HubVariant:
    parts = parse_variant(name)
    return HubVariant(
        repo=kernel.repo,
        version=kernel.version,
        name=name,
        torch=f"{parts['major']}.{parts['minor']}" if parts else None,
        stable_abi=bool(parts and parts["stable"]),
        cuda=cuda_version(parts["cuda"]) if parts else None,
        cxx11abi=None if not parts or parts["abi"] is None else parts["abi"] == "cxx11",
        os=parts["os"] if parts else None,
        arch=parts["arch"] if parts else None,
        evidence=evidence,
        as_of=as_of,
    )


def _fits(variant: HubVariant, key: Key) -> bool:
    """As `kernels` decides; only for a torch with CUDA."""
    if variant.torch is None or variant.cuda is None:
        return variant.name == NOARCH
    if (variant.os, variant.arch) != (key.os, key.arch):
        return False
    have, built = numbers(major_minor(public(key.torch or ""))), numbers(variant.torch)
    if have < built or (have != built and not variant.stable_abi):
        return False
    if variant.cxx11abi is not None and variant.cxx11abi != torch_abi(key):
        return False
    cuda = key.torch_cuda or ""
    return major(cuda) == major(variant.cuda) and numbers(variant.cuda) <= numbers(major_minor(cuda))


def _preference(variant: HubVariant) -> tuple[object, ...]:
    """Stable ABI before single torch versions before Python only; the newest ABI; no word on C++'s; the newest CUDA."""
    return (
        not variant.stable_abi,
        variant.torch is None,
        _newest_first(variant.torch or ""),
        variant.cxx11abi is not None,
        _newest_first(variant.cuda or ""),
        variant.name,
    )


def _newest_first(version: str) -> tuple[int, int]:
    one, two = (*numbers(version), 0, 0)[:2]
    return -one, -two


def _not_known(key: Key) -> str:
    if key.os != "linux":
        return f"no build for {key.os} is known"
    found = [parse_variant(row.variant) for row in _must_build()]
    minors = sorted({f"{one['major']}.{one['minor']}" for one in found if one}, key=numbers)
    listed = f"of {_must_build()[0].as_of} it is known for torch {' and '.join(minors)}"
    return f"whether it has a build for torch {key.torch} on {key.arch} is not known; {listed}"


def _conda_fits(build: CondaBuild, key: Key) -> bool:
    if SUBDIRS.get(build.subdir) != (key.os, key.arch) or build.py != key.python:
        return False
    if key.libc is not None and (
        key.libc.startswith("musl") or numbers(key.libc.removeprefix("glibc-")) < numbers(build.glibc_min)
    ):
        return False
    if not all(capability.covers(_arches(build.gpu_archs), on) for on in key.capabilities):
        return False
    if key.torch is None:
        return True
    same_torch = numbers(major_minor(public(key.torch))) == numbers(build.pytorch)
    return same_torch and key.torch_cuda is not None and major(key.torch_cuda) == major(build.cuda)


def _arches(written: str) -> tuple[str, ...]:
    """('sm_80', 'sm_120', 'compute_120') from '8.0;12.0+PTX'."""
    found: list[str] = []
    for one in written.split(";"):
        named = capability.sm(one.removesuffix("+PTX"))
        found += [named, named.replace("sm_", "compute_")] if one.endswith("+PTX") else [named]
    return tuple(found)


@cache
def _must_build() -> tuple[MustBuild, ...]:
    return catalogue.read_rows("hf-kernels", MustBuild)


@cache
def _conda() -> tuple[CondaBuild, ...]:
    return catalogue.read_rows("conda-forge", CondaBuild)
