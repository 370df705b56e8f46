"""A torch or a flash-attn that transformers or xFormers does not accept: one that it accepts takes its place."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from attn_doctor.plan import one_folder
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Change

CODES = ("AD307", "AD323")


def parts(ailing: Ailing) -> Iterator[Part]:
    for code in CODES:
        if code in ailing.findings:
            yield from _of(ailing, code)


def _of(ailing: Ailing, code: str) -> Iterator[Part]:
    machine, finding = ailing.machine, ailing.findings[code]
    if not finding.fix:
        return
    why = finding.title
    build = _parts.torch_of_command(machine, finding.fix[0])
    if build is not None:
        steps, changes = _parts.torch_moved(ailing, build, why)
        title = f"torch {build.torch}+{build.variant}"
        yield Part(cures=(code,), title=title, why=why, steps=steps, changes=changes, cost_bytes=build.wheel_bytes)
        return
    names = [word.rpartition("/")[2].split("-") for word in shlex.split(finding.fix[0]) if word.endswith(".whl")]
    version = names[0][1].replace("%2B", "+") if names else None
    if version:
        step = _parts.by_command(machine, finding.fix[0], f"install another flash-attn: {why}", "flash-attn")
        change = Change("flash-attn", _parts.version(machine, "flash-attn"), version)
        steps = (step, *one_folder.again(machine, "flash-attn"))
        yield Part(cures=(code, "AD420"), title=f"flash-attn {version}", why=why, steps=steps, changes=(change,))


MEND = Mend("not_accepted", 32, CODES, parts)
