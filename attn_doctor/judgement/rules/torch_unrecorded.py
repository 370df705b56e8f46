"""AD322 torch-unrecorded

The files of a released torch are there and its metadata folder (torch-2.8.0.dist-info) is not: copied by hand, put
there by `pip install --target` and moved, or an uninstall that lost its way. `import torch` works. Whatever asks the
metadata takes torch as absent: transformers says that PyTorch was not found, and the next `pip install` of a package
that demands torch downloads one and writes it over these files.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, python: Python, packages: dict[str, Package], torch: TorchDist) -> Problem | None:
    own = (torch.location or "").startswith(
        f"{python.prefix}/"
    )  # what a cluster or another environment lends is theirs
    if not own or torch.records or "torch" in packages or not torch.released:
        return None
    again = commands.reinstall_torch(machine)
    return Problem(
        f"torch {torch.version} lies in {torch.location} and no metadata beside it: pip and transformers take torch as "
        "absent, and the next install of a package that demands it writes another over these files.",
        (again,) if again else (),
    )


RULE = Rule("AD322", "torch-unrecorded", "warning", "pip does not know of the torch that is here", check)
