"""NumPy 2 beside a torch that was compiled for NumPy 1."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.knowledge.requirements import requirement
from attn_doctor.plan import steps
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Change


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    row = requirement("torch", machine.torch.version, "numpy") if machine.torch else None
    if row is None or machine.torch is None:
        return
    have = _parts.version(machine, "numpy")
    why = f"torch {machine.torch.version} was compiled for NumPy 1, and numpy {have} is there"
    wanted = f"numpy{row.specifier}"
    yield Part(
        cures=("AD314",),
        title=wanted,
        why=why,
        steps=(steps.install(machine, f"install {wanted}: {why}", "--no-deps", wanted, step="numpy"),),
        changes=(Change("numpy", have, row.specifier),),
        warnings=("what demands NumPy 2 in this environment will not find it: a newer torch works with both",),
    )


MEND = Mend("numpy2", 45, ("AD314",), parts)
