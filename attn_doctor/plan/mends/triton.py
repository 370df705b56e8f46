"""A Triton that torch does not demand: the one that it does."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement.rules.triton_mismatch import demanded
from attn_doctor.plan import steps
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Change


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    specifier = demanded(machine.torch, machine.packages.get("torch")) if machine.torch else None
    if machine.torch is None or specifier is None:
        return
    have = _parts.version(machine, "triton")
    why = f"triton {have} is not the one that torch {machine.torch.version} demands"
    title = f"install triton{specifier}: {why}"
    exact = specifier[2:] if specifier.startswith("==") and "*" not in specifier else specifier
    yield Part(
        cures=("AD305",),
        title=f"triton{specifier}",
        why=why,
        steps=(steps.install(machine, title, "--no-deps", f"triton{specifier}", step="triton"),),
        changes=(Change("triton", have, exact),),
    )


MEND = Mend("triton", 40, ("AD305",), parts)
