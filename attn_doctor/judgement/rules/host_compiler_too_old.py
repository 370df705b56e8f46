"""AD206 host-compiler-too-old

torch's headers demand a C++ standard (C++17 since 2.0, C++20 since 2.14), and with it a gcc that has it. An older one
ignores the flag or stops at "#error C++20 or later compatible compiler is required to use ATen", after hundreds of
errors that hide the first.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import build_hazards
from attn_doctor.knowledge.versions import numbers
from attn_doctor.machine.probes.compiler import Compiler
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.toolkits import Toolkits
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, toolkits: Toolkits, compiler: Compiler, torch: TorchDist, python: Python) -> Problem | None:
    row = build_hazards.host_gcc(torch.version)
    if row is None or compiler.family != "gcc" or not toolkits.found or not _build.could_build(machine):
        return None
    if numbers(compiler.version) >= numbers(row.gcc):
        return None
    return Problem(
        f"gcc {compiler.version} is older than {row.gcc}, the oldest for torch {torch.version}: {row.why}. "
        f"{_build.ONLY_BUILDS}",
        fix=(f"conda install -c conda-forge 'gxx>={row.gcc}'",) if python.kind == "conda" else (),
    )


RULE = Rule("AD206", "host-compiler-too-old", "info", "gcc is too old for torch's headers", check)
