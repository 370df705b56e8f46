"""A torch among the packages of the user, before the environment's own: it is taken away there."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from msgspec.structs import replace

from attn_doctor.judgement import commands
from attn_doctor.machine.facts import Known
from attn_doctor.plan import steps
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Step


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    leftovers = machine.facts.readings.get("leftovers")
    if not isinstance(leftovers, Known) or not leftovers.value.torch_copies:
        return
    wins = leftovers.value.torch_copies[0]
    site = wins.rpartition("/")[0]
    if site in (machine.environment.get("PYTHONPATH") or "").replace(";", ":").split(":"):
        return  # a variable of the shell: nothing of the environment
    command = tuple(shlex.split(commands.uninstall(machine, "torch")))
    title = f"take the torch away that hides the environment's own: {site} comes first"
    yield Part(
        cures=("AD309",),
        title="the torch of the user's folder",
        why=f"the torch in {site} hides the one of the environment",
        steps=(Step(id="uninstall", title=title, kind="run", command=command),),
        removed=(wins,),
        keeps=tuple(_kept(step, site) for step in steps.keep(machine)),
        warnings=(
            f"it changes {site}, which every Python of this version sees; the copy is kept beside it",
            "what is wrong besides is judged by the torch that counts then: call attn-doctor repair once more",
        ),
    )


def _kept(step: Step, site: str) -> Step:
    """The folder of the user in place of the environment."""
    ending = step.command[-1].rpartition(".before-")[2]
    there, failed = f"{site}.before-{ending}", f"{site}.failed-{ending}"
    now, before, left = (shlex.quote(one) for one in (site, there, failed))
    return replace(
        step,
        title="keep the packages of the user as they are now",
        command=(*step.command[:-2], site, there),
        undo=f"mv {now} {left} && mv {before} {now} && rm -rf {left}",
    )


MEND = Mend("two_torches", 3, ("AD309",), parts)
