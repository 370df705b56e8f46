"""A torch that cannot use the GPU that is here: the nearest that can."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement import torch_choice
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.ways.another_torch import older

CODES = ("AD101", "AD103", "AD104")


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    build = torch_choice.best(machine)
    if build is None or machine.torch is None or not machine.torch.released:
        return
    why = next(ailing.findings[code].title for code in CODES if code in ailing.findings)
    steps, changes = _parts.torch_moved(ailing, build, why)
    yield Part(
        cures=CODES,
        title=torch_choice.label(build),
        why=why,
        steps=steps,
        changes=changes,
        cost_bytes=build.wheel_bytes,
        warnings=older(_parts.case(ailing), build),
    )


MEND = Mend("torch_for_gpu", 30, CODES, parts)
