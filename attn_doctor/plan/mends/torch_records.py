"""What pip believes of torch is not what is there: a stale record goes, else the files come as the record is."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement import commands
from attn_doctor.judgement.rules.torch_swapped_by_dependency import _same, _version
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Change


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    torch = machine.torch
    if torch is None or torch.location is None:
        return
    true = [record for record in torch.records if _same(_version(record), torch.version)]
    stale = tuple(record for record in torch.records if record not in true[:1])
    paths = tuple(f"{torch.location.rpartition('/')[0]}/{record}" for record in stale)
    removal = _parts.remove(machine, paths, f"delete the record of a torch that is not there: {', '.join(stale)}")
    if true:
        yield Part(
            cures=("AD302",),
            title="the stale record of torch",
            why=f"two records of one torch; the files are {torch.version}",
            steps=(removal,),
            removed=paths,
        )
    elif again := commands.reinstall_torch(machine):
        title = f"install torch {torch.version} as its files say: pip believes {', '.join(stale)}"
        yield Part(
            cures=("AD302",),
            title=f"torch {torch.version} anew",
            why="pip believes in another torch than the one whose files are there",
            steps=(removal, _parts.by_command(machine, again, title, "torch")),
            changes=(Change("torch", torch.version, torch.version),),
            removed=paths,
        )


MEND = Mend("torch_records", 20, ("AD302",), parts)
