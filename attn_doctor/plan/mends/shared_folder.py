"""flash-attn in one folder hides flash-attn-4 in another: the second comes into the folder of the first."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.plan import one_folder, steps
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Change

FOUR = "flash-attn-4"


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    two, four = machine.packages["flash-attn"], machine.packages[FOUR]
    prefix = machine.python.prefix if machine.python else ""
    if not two.location or not two.location.startswith(prefix.rstrip("/") + "/"):
        return  # the one that hides the other is not the environment's to touch
    why = f"flash-attn in {two.location} hides the one in {four.location}"
    again = (f"--reinstall-package={FOUR}",) if steps.uses_uv(machine) else ("--ignore-installed",)
    title = f"install {FOUR} {four.version} beside flash-attn: {why}"
    step = steps.install(machine, title, *again, "--no-deps", f"{FOUR}=={four.version}", step=one_folder.STEP)
    yield Part(
        cures=("AD310", "AD420"),
        title=f"{FOUR} beside flash-attn",
        why=why,
        steps=(_parts.fresh(machine, step),),
        changes=(Change(FOUR, four.version, four.version), Change("flash-attn", two.version, two.version)),
        built={"flash-attn": f"{two.version}+{two.build}"} if two.build and "+" not in two.version else {},
    )


MEND = Mend("shared_folder", 57, ("AD310",), parts)
