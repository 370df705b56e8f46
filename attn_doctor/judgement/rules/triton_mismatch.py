"""AD305 triton-mismatch

torch.compile and FlexAttention generate code for one version of Triton, which torch demands in its metadata: exactly
up to torch 2.13, any patch of one minor from 2.14 on. Another Triton can work, and can fail on first use with errors
inside the compiler. It comes from a package that demanded its own Triton, or from `pip install --upgrade triton`.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.requirements import requirement, satisfies
from attn_doctor.knowledge.versions import public
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.torch import TorchDist


def demanded(torch: TorchDist, distribution: Package | None) -> str | None:
    """The specifier of Triton, by torch's own metadata; for an imagined torch by the tables."""
    if torch.location is not None:
        return (distribution.requires or {}).get("triton") if distribution else None
    row = requirement("torch", torch.version, "triton")
    pins = torch_builds.pins(torch.version)
    if row:
        return row.specifier
    return f"=={pins.triton}" if pins and pins.triton and pins.torch == public(torch.version) else None


def check(machine: Machine, packages: dict[str, Package], torch: TorchDist) -> Problem | None:
    triton = packages.get("triton")
    if triton is None or machine.os != "linux" or not torch.cuda or not torch.released:
        return None
    specifier = demanded(torch, packages.get("torch"))
    if not specifier or satisfies(triton.version, specifier):
        return None
    return Problem(
        f"triton {triton.version} is installed; torch {torch.version} demands triton{specifier}. torch.compile, "
        "FlexAttention and Triton kernels may fail on first use.",
        fix=(commands.install(machine, f"triton{specifier}"),),
    )


RULE = Rule("AD305", "triton-mismatch", "warning", "Triton is not the one that torch demands", check, "likely")
