"""AD205 host-compiler-too-new

Each nvcc accepts host compilers up to a newest gcc, and refuses a later one: "unsupported GNU version! gcc versions
later than 13 are not supported!". Rolling distributions are usually ahead of it. An older gcc beside the newest is
enough: torch's builder hands CC on to nvcc. `-allow-unsupported-compiler` silences the check and not the errors that
come after it.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import cuda
from attn_doctor.knowledge.versions import major
from attn_doctor.machine.probes.compiler import Compiler
from attn_doctor.machine.probes.system import System
from attn_doctor.machine.probes.toolkits import Toolkits
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, toolkits: Toolkits, compiler: Compiler, torch: TorchDist, system: System) -> Problem | None:
    chosen = _build.used(toolkits) or _build.best(toolkits.found, torch)
    if chosen is None or chosen.version is None or compiler.family != "gcc" or not _build.could_build(machine):
        return None
    newest = cuda.max_gcc(chosen.version)
    if newest is None or major(compiler.version) <= newest:
        return None
    export = f"export CC=gcc-{newest} CXX=g++-{newest}"
    name = (system.distribution or "").lower()
    packaged = "debian" in name or "ubuntu" in name
    return Problem(
        f"gcc {compiler.version} is newer than {newest}, the newest that nvcc {chosen.version} accepts. "
        f"{_build.ONLY_BUILDS}",
        fix=(f"sudo apt install g++-{newest} && {export}" if packaged else export,),
    )


RULE = Rule("AD205", "host-compiler-too-new", "info", "gcc is newer than nvcc accepts", check)
