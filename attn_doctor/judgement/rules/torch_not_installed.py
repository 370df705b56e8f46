"""AD105 torch-not-installed

The target environment has no torch. Every attention backend builds on it, so there is nothing to judge but what could
be installed. If torch is installed somewhere else, name that environment with `--venv DIR` or `--python PATH`.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, python: Python, torch: TorchDist | None) -> Problem | None:
    if torch is not None:
        return None
    said = f"{python.prefix or 'The target'} has no torch."
    command = commands.any_torch(machine)
    fix = [command] if command else []
    if command is None:
        said += " There is no torch wheel for musl: it takes a glibc system or container."
    if python.own:
        said += " It is the environment that attn-doctor runs in; name the one your model runs in."
        fix.insert(0, "attn-doctor check --venv DIR")
    return Problem(said, tuple(fix))


RULE = Rule("AD105", "torch-not-installed", "warning", "torch is not installed in the target", check)
