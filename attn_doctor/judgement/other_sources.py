"""Where else a package comes from than from wheels, as sentences: conda-forge and the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import wheel_choice
from attn_doctor.knowledge import hub_kernels
from attn_doctor.knowledge.versions import major
from attn_doctor.wheels import variants
from attn_doctor.wheels.resolve import TWO_SERIES, Key
from attn_doctor.wheels.variants import CondaBuild, HubVariant

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

FRAMEWORKS = ("transformers", "diffusers")


def conda_build(machine: Machine, key: Key, package: str, series: str = "2") -> CondaBuild | None:
    """What conda-forge has for a conda environment whose torch is conda's own, or that has none yet."""
    if machine.python is None or machine.python.kind != "conda":
        return None
    if machine.torch is not None and machine.torch.installer != "conda":
        return None  # conda would put a torch of its own over it
    found = variants.conda_builds(key, package)
    return next((one for one in found if package != TWO_SERIES or str(major(one.version)) == series), None)


def hub_variant(machine: Machine, key: Key, backend: str) -> HubVariant | None:
    """The build of a kernel of the Hub that the installed torch could load, and that its GPUs could run."""
    if not wheel_choice.torch_serves(machine, None):
        return None
    found = (variants.hub_variants(key, kernel.repo) for kernel in hub_kernels.kernels_of(backend))
    return next((builds[0] for builds in found if builds), None)


def about_conda(build: CondaBuild) -> str:
    """'conda-forge has flash-attn 2.8.3 for pytorch 2.12, CUDA 13.0 and Python 3.12: conda install ...'."""
    return (
        f"conda-forge has {build.package} {build.version} for pytorch {build.pytorch}, CUDA {build.cuda} and Python "
        f"{build.py}: conda install -c conda-forge {' '.join(build.specs)}"
    )


def about_the_hub(machine: Machine, variant: HubVariant) -> str:
    """Which kernel, which build of it, and how a framework takes it."""
    if variant.evidence == "seen":
        has = (
            f"The Hugging Face Hub has a build that fits, {variant.name} of {variant.repo} (version {variant.version})"
        )
    else:
        has = (
            f"The Hugging Face Hub should have a build that fits, {variant.name} of {variant.repo}: one that every "
            f"kernel has to offer as of {variant.as_of}, not looked at"
        )
    return f"{has}. {_taken_by(machine, variant.repo)}"


def _taken_by(machine: Machine, repo: str) -> str:
    installed = ((name, machine.packages[name].version) for name in FRAMEWORKS if name in machine.packages)
    for name, version in installed:
        if row := hub_kernels.named(name, version, repo):
            return f"{name} {version} takes it with {row.setting}, and needs kernels{row.kernels}."
    return "The package kernels loads it; transformers and diffusers take it by name."


def notes(machine: Machine, key: Key, package: str, series: str, backend: str | None) -> Iterator[str]:
    """What helps beside wheels on this machine, at most one sentence for each source."""
    if build := conda_build(machine, key, package, series):
        yield about_conda(build)
    if backend and (variant := hub_variant(machine, key, backend)):
        yield about_the_hub(machine, variant)
