"""AD320 torch-incomplete

torch is recorded as installed, and files without which it cannot be imported are not there: an installation that was
interrupted, a full disk, a cleaner that went too far, or a folder removed by hand. pip believes its own record and says
"Requirement already satisfied"; only a forced reinstallation brings the files back.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import public
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, torch: TorchDist) -> Problem | None:
    if not torch.missing:
        return None
    again = commands.reinstall_torch(machine) or commands.reinstall(machine, "torch", public(torch.version))
    return Problem(f"torch {torch.version} lacks {', '.join(torch.missing)}: it cannot be imported.", (again,))


RULE = Rule("AD320", "torch-incomplete", "error", "torch is there in part only", check)
