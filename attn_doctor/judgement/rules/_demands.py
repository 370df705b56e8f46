"""What an installed package demands of another: by its own metadata; for one that is imagined, by the tables."""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.requirements import requirement, same_cuda, satisfies
from attn_doctor.knowledge.versions import local, major_minor, public
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.torch import TorchDist


def imagined(package: Package) -> bool:
    """Given by a what-if: nothing was read of it."""
    return package.location is None and package.requires is None


def of_torch(name: str, package: Package) -> tuple[str, ...]:
    """Specifiers of torch, of which one is enough; empty where it demands none or that is not known."""
    if package.requires is not None:
        specifier = package.requires.get("torch")
        return (specifier,) if specifier else ()
    if not imagined(package):
        return ()
    row = requirement(name, package.version, "torch")
    if row:
        return (row.specifier,) if row.specifier else ()
    have = public(package.version)
    return tuple(f"=={release.torch}" for release in torch_builds.table().releases if have in _pinned(release, name))


def _pinned(release: torch_builds.Release, name: str) -> tuple[str, ...]:
    pin: str | tuple[str, ...] | None = getattr(release, name)
    return (pin,) if isinstance(pin, str) else pin or ()


def meets(torch: TorchDist, demanded: tuple[str, ...]) -> bool:
    """Whether one of them is met. conda marks its builds as post-releases of the same sources."""
    return any(satisfies(public(torch.version).partition(".post")[0], one) for one in demanded)


def same_minor(version: str, demanded: tuple[str, ...]) -> bool:
    """Whether only the patch level differs."""
    return any(major_minor(one.removeprefix("==")) == major_minor(version) for one in demanded if one[:2] == "==")


def told(demanded: tuple[str, ...]) -> str:
    """'torch==2.8.0 or ==2.7.1', as the metadata writes it."""
    return f"torch{' or '.join(demanded)}"


def companion(machine: Machine, name: str, package: Package, torch: TorchDist, then: str) -> Problem | None:
    """How torchvision or torchaudio differs from the torch it was built for, by release and by CUDA."""
    if not torch.released or not torch_builds.is_release(package.version):
        return None
    demanded = of_torch(name, package)
    fix = commands.install_companion(machine, name)
    fixes = (fix,) if fix else ()
    if demanded and not meets(torch, demanded):
        said = f"{name} {package.version} demands {told(demanded)}; torch {torch.version} is installed."
        if same_minor(torch.version, demanded):
            return Problem(f"{said} Within one minor most of it works.", fixes, severity="info")
        return Problem(f"{said} {then}", fixes)
    return _other_cuda(machine, name, package, torch, fixes)


def _other_cuda(
    machine: Machine, name: str, package: Package, torch: TorchDist, fixes: tuple[str, ...]
) -> Problem | None:
    build = local(package.version) or package.build
    if build is None or torch.rocm or torch.xpu:
        return None
    own = torch_builds.cuda_of_variant(build)
    which = f"{name} {public(package.version)}+{build}"
    title = f"{name} is for another CUDA"
    if own and torch.cuda and not same_cuda(name, package.version, own, torch.cuda):
        return Problem(
            f"{which} is built for CUDA {own}, torch {torch.version} for CUDA {torch.cuda}. Its import refuses that "
            '("compiled with different CUDA versions").',
            fixes,
            title=title,
        )
    if own and torch.cpu_only:
        return Problem(
            f"{which} needs the CUDA libraries of torch (libtorch_cuda, libc10_cuda), and torch {torch.version} is a "
            "build without CUDA. Its operators do not load.",
            fixes,
            title=title,
        )
    if build == "cpu" and torch.cuda and machine.nvidia:
        return Problem(
            f"{which} is a build without CUDA beside torch {torch.version}: its own operators do not run on the GPU.",
            fixes,
            title=f"{name} is a CPU build",
            severity="warning",
        )
    return None
