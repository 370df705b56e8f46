"""A CUDA toolkit beside everything else, for one source build: the ways to it."""

from __future__ import annotations

from attn_doctor.judgement.toolkit_choice import obtainable, served, wanted
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import major_minor, numbers
from attn_doctor.plan.toolkits import conda, packages, runfile, wheels
from attn_doctor.plan.toolkits._way import ToolkitWay

__all__ = ["ToolkitWay", "obtainable", "wanted", "ways"]


def ways(machine: Machine, cuda: str, folder: str) -> tuple[ToolkitWay, ...]:
    """Every way to the toolkit of that CUDA, best first; none where NVIDIA publishes none for such a machine.

    `folder` is made for it and belongs to it alone: undoing a way removes it.
    """
    if not served(machine) or not numbers(cuda):
        return ()
    minor = major_minor(cuda)
    found = [way(machine, minor, folder) for way in (wheels.way, conda.way, runfile.way, packages.way)]
    listed = [way for way in found if way is not None]
    # what attn-doctor can do by itself comes first, and the others keep their order
    return tuple(sorted(listed, key=lambda way: not way.possible))
