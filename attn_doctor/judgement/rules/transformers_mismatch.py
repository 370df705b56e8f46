"""AD307 transformers-mismatch

transformers looks at the versions it finds. With a torch older than it accepts it prints "Disabling PyTorch because
PyTorch >= ... is required" and loads no model; releases of 2024 used eager attention instead of sdpa below torch 2.1.1.
With a flash-attn older than it accepts, `attn_implementation="flash_attention_2"` raises an ImportError.

Move the older one up, or take the transformers that was written for it.
"""

from __future__ import annotations

from attn_doctor.judgement import commands, torch_choice
from attn_doctor.judgement.report import Severity
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.requirements import Requirement, requirement, satisfies
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, packages: dict[str, Package], torch: TorchDist) -> Problem | None:
    package = packages.get("transformers")
    if package is None:
        return None
    row = requirement("transformers", package.version, "torch")
    if row and not satisfies(torch.version, row.specifier) and torch.released:
        eager: Severity | None = None if "disables" in (row.otherwise or "") else "warning"
        build = _newer_torch(machine, row)
        move = (commands.install_torch(machine, build),) if build else ()
        return Problem(_said(package, row, "torch", torch.version), move, severity=eager)
    flash = packages.get("flash-attn")
    row = requirement("transformers", package.version, "flash-attn") if flash else None
    if flash is None or row is None or not torch.cuda or satisfies(flash.version, row.specifier):
        return None
    note, fix = _newer_flash_attn(machine, row)
    return Problem(
        _said(package, row, "flash-attn", flash.version) + note,
        fix,
        title="flash-attn is older than transformers accepts",
        severity="warning",
    )


def _said(package: Package, row: Requirement, name: str, have: str) -> str:
    return (
        f"transformers {package.version} wants {name}{row.specifier}; {name} {have} is installed. "
        f"Below that {row.otherwise}."
    )


def _newer_torch(machine: Machine, row: Requirement) -> Build | None:
    torch = machine.torch
    if torch is None:
        return None
    candidates = torch_choice.suitable(machine)
    # beside a GPU, a build for the CPU is advised only where no other runs
    if torch.cpu_only and not (machine.nvidia and candidates):
        tag = machine.python.tag if machine.python else None
        every = torch_builds.builds(machine.os, machine.arch)
        candidates = [build for build in every if not build.cuda and tag in (build.python_tags or (tag,))]
    return torch_choice.nearest(machine, [build for build in candidates if satisfies(build.torch, row.specifier)])


def _newer_flash_attn(machine: Machine, row: Requirement) -> tuple[str, tuple[str, ...]]:
    """What is to be said besides, and the command."""
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    gpu = next(iter(machine.nvidia), None)
    found = wheel_choice.fits(machine, gpu, "flash-attn")
    newer = next((wheel for wheel in found if satisfies(wheel.version, row.specifier)), None)
    if newer is None:
        return wheel_choice.note(machine, "flash-attn", gpu), ()
    return "", (commands.install_wheel(machine, newer),)


RULE = Rule("AD307", "transformers-mismatch", "error", "torch is older than transformers accepts", check)
