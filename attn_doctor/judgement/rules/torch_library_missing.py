"""AD407 torch-library-missing

torch's own libraries need others: the CUDA runtime, cuDNN, NCCL, nvJitLink. pip brings them as packages of their own
(nvidia-...), and they can go missing or be half removed; importing torch then fails with "libcudnn.so.9: cannot open
shared object file". Or a folder in LD_LIBRARY_PATH holds another release of one of them and is searched first: then
"undefined symbol: __nvJitLinkComplete_12_4" or "ncclCommWindowRegister".
"""

from __future__ import annotations

import shlex

from attn_doctor.judgement import binaries, commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.versions import local, public
from attn_doctor.machine.probes.extensions import Extensions
from attn_doctor.machine.probes.torch import TorchDist

SHOWN = 3


def check(machine: Machine, extensions: Extensions, torch: TorchDist) -> Problem | None:
    libraries = extensions.torch
    if libraries is None:
        return None
    lost = [library for library in libraries.missing if not library.startswith(binaries.DRIVER_LIBRARIES)]
    if lost:
        more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        named = ", ".join(lost[:SHOWN]) + more
        asks = libraries.missing[lost[0]]
        detail = f"torch {torch.version} cannot be imported: {asks} needs {named}, and the loader finds none."
        return Problem(detail, (with_its_libraries(machine, torch),))
    for other in libraries.foreign:
        said = f"{other.asked_by} asks {other.name} for {other.symbol}, and gets {other.path}, which lacks it."
        return Problem(
            f"torch {torch.version} cannot be imported: {said}",
            (_without(machine, other.path, other.instead or libraries.folder),),
            title="torch gets another library than its own",
        )
    return None


def with_its_libraries(machine: Machine, torch: TorchDist) -> str:
    """The same torch once more, with all that belongs to it."""
    version = public(torch.version)
    for build in torch_builds.builds(machine.os, machine.arch):
        if build.torch == version and build.cuda == torch.cuda and local(torch.version) in (None, build.variant):
            command = commands.install_torch(machine, build)
            break
    else:
        command = f"{commands.installer(machine)} torch=={shlex.quote(version)}"
    return binaries.anew(command)


def _without(machine: Machine, path: str, home: str) -> str:
    for folder in (machine.environment.get("LD_LIBRARY_PATH") or "").split(":"):
        if folder and path.startswith(folder.rstrip("/") + "/"):
            return "unset LD_LIBRARY_PATH"
    return f"export LD_LIBRARY_PATH={shlex.quote(home)}"


RULE = Rule("AD407", "torch-library-missing", "error", "torch does not find a library that it needs", check)
