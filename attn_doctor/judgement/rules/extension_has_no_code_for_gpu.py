"""AD404 extension-has-no-code-for-gpu

Like torch, an extension carries machine code for a list of GPU architectures, read here from the file itself. Where
none of them runs on a GPU of this machine, every call fails with "no kernel image is available for execution on the
device": a wheel older than the GPU, or one that was compiled for other GPUs. An architecture that only a few parts of
the file have does not count.
"""

from __future__ import annotations

from attn_doctor.judgement import binaries
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import capability
from attn_doctor.machine.probes.extensions import Extensions
from attn_doctor.machine.probes.gpus import Gpu


def check(machine: Machine, extensions: Extensions, gpus: tuple[Gpu, ...]) -> Problem | None:
    visible = [gpu for gpu in machine.nvidia if gpu in gpus]
    found: list[tuple[str, str]] = []
    served = False
    for package in extensions.packages:
        without = [gpu for gpu in visible if binaries.lacks_code(machine, package, gpu)]
        if package not in machine.packages or not without:
            continue
        served = served or len(without) < len(visible)
        found.append(_mended(machine, package, without))
    if not found:
        return None
    detail, fix = binaries.together(found)
    return Problem(detail, fix, severity="warning" if served else None)


def _said(machine: Machine, package: str, without: list[Gpu]) -> str:
    named = ", ".join(dict.fromkeys(gpu.name for gpu in without))
    needed = " and ".join(dict.fromkeys(capability.sm(gpu.compute_capability or "") for gpu in without))
    has = capability.short(binaries.architectures(machine, package))
    return f"{named} needs {needed}; {binaries.called(machine, package)} has {has}."


def _mended(machine: Machine, package: str, without: list[Gpu]) -> tuple[str, str]:
    said, command = binaries.mended(machine, package, _said(machine, package, without), without[0])
    # it may serve another GPU or another machine: taking it away mends nothing
    return said, "" if " uninstall " in command else command


RULE = Rule("AD404", "extension-has-no-code-for-gpu", "error", "an extension has no code for this GPU", check)
