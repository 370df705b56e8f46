"""AD313 externally-managed

This Python belongs to the distribution (PEP 668): pip refuses to install into it with "externally-managed-environment",
and what is forced in can break the system's own tools. Nothing is wrong as long as nothing is to be installed; for
that make a virtual environment. With --system-site-packages it sees the packages that are already here.
"""

from __future__ import annotations

import shlex

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, python: Python, torch: TorchDist | None) -> Problem | None:
    idle = torch is not None and torch.cpu_only and machine.nvidia
    lacking = torch is None or idle or any(machine.lacks_code(gpu) for gpu in machine.gpus)
    if not python.externally_managed or not lacking:
        return None
    return Problem(
        f"Python {python.version} in {python.prefix} belongs to the system: pip will refuse to install torch into it. "
        "Install into a virtual environment and check that one.",
        fix=(
            f"{shlex.quote(python.executable or 'python3')} -m venv .venv",
            "attn-doctor check --venv .venv",
        ),
    )


RULE = Rule("AD313", "externally-managed", "info", "pip may not install into this Python", check)
