"""torchvision and torchaudio out of step with torch: the ones that belong to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.judgement import commands
from attn_doctor.judgement.view import Machine
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Change

OF = {"AD303": "torchvision", "AD304": "torchaudio"}


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    for code, name in OF.items():
        finding = ailing.findings.get(code)
        command = commands.install_companion(machine, name) if name in machine.packages else None
        if finding and finding.severity != "info" and command and machine.torch:
            yield _part(machine, code, name, command)


def _part(machine: Machine, code: str, name: str, command: str) -> Part:
    torch = machine.torch.version if machine.torch else ""
    have = _parts.version(machine, name)
    why = f"{name} {have} is for another torch than {torch}"
    found = re.search(rf"\b{name}==(\S+)", command)
    build = commands.installed_build(machine)
    version = found[1].strip("'\"") if found else ""
    if build and "+" not in version:
        version += f"+{build.variant}"
    return Part(
        cures=(code,),
        title=f"{name} {version}",
        why=why,
        steps=(_parts.by_command(machine, command, f"install the {name} that belongs to torch {torch}: {why}", name),),
        changes=(Change(name, have, version),),
    )


MEND = Mend("companions", 35, tuple(OF), parts)
