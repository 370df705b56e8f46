"""AD314 numpy2-abi

torch before 2.3 was compiled against NumPy 1. With NumPy 2 it prints a warning on import, and everything between
tensors and arrays fails: "RuntimeError: Numpy is not available". Data loaders and tokenizers meet that first.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.requirements import requirement, satisfies
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, packages: dict[str, Package], torch: TorchDist) -> Problem | None:
    numpy = packages.get("numpy")
    # conda and vendors compile theirs against the NumPy they bring
    if numpy is None or not torch.released or torch.installer == "conda":
        return None
    row = requirement("torch", torch.version, "numpy")
    if row is None or satisfies(numpy.version, row.specifier):
        return None
    return Problem(
        f"numpy {numpy.version} with torch {torch.version}: {row.otherwise}.",
        fix=(commands.install(machine, f"numpy{row.specifier}"),),
    )


RULE = Rule("AD314", "numpy2-abi", "warning", "NumPy 2 with a torch that was built for NumPy 1", check)
