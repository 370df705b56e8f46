"""AD208 cxx-standard-against-torch

flash-attn's releases pass -std=c++17 to both compilers, and the headers of torch 2.14 and later demand C++20: "#error
C++20 or later compatible compiler is required to use ATen". A newer gcc does not help, since the flag is fixed in
setup.py; flash-attn's main branch chooses it by torch. A published wheel needs none of this.
"""

from __future__ import annotations

from attn_doctor.judgement import commands, wheel_choice
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import attention
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import numbers, public
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.toolkits import Toolkits
from attn_doctor.machine.probes.torch import TorchDist

MAIN = "git+https://github.com/Dao-AILab/flash-attention"


def check(machine: Machine, packages: dict[str, Package], toolkits: Toolkits, torch: TorchDist) -> Problem | None:
    row = attention.source_build("flash-attn", "2")
    able = [
        gpu for gpu in machine.nvidia if gpu.compute_capability and capability(gpu.compute_capability)[0] in row.majors
    ]
    if not toolkits.found or not able or "flash-attn" in packages or not _build.could_build(machine):
        return None
    if numbers(public(torch.version))[:2] < numbers(row.max_torch_excluded):
        return None
    if wheel_choice.fits(machine, able[0], "flash-attn"):
        return None
    return Problem(
        f"flash-attn {row.version} does not compile against torch {torch.version}: {row.why_max}. "
        "Its main branch does.",
        fix=(f"{commands.installer(machine)} --no-build-isolation {MAIN}",),
    )


RULE = Rule("AD208", "cxx-standard-against-torch", "info", "flash-attn's release does not compile here", check)
