"""What pip left under names that begin with ~ where it was interrupted."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement.rules.half_removed_package import original
from attn_doctor.machine.facts import Known
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import Ailing, Mend, Part


def parts(ailing: Ailing) -> Iterator[Part]:
    leftovers = ailing.machine.facts.readings.get("leftovers")
    if not isinstance(leftovers, Known):
        return
    found = {path: name for path in leftovers.value.half_removed if (name := original(path.rpartition("/")[2]))}
    of = ", ".join(dict.fromkeys(found.values()))
    yield Part(
        cures=("AD301",),
        title=f"what is left of {of}",
        why=f"pip was interrupted while it removed {of}",
        steps=(_parts.remove(ailing.machine, tuple(found), f"delete what pip left of {of} where it was interrupted"),),
        removed=tuple(found),
    )


MEND = Mend("half_removed", 10, ("AD301",), parts)
