"""AD303 torchvision-mismatch

Each torchvision is compiled against one torch release and demands exactly that one in its metadata; from 0.29.2 on it
uses torch's stable ABI and demands torch 2.14 or later. Beside another torch its operators do not load, and importing
it, or whatever imports it (transformers, diffusers), fails with "operator torchvision::nms does not exist".

Its CUDA build has to agree as well: a build of another CUDA major is refused, one with CUDA beside a CPU torch does
not load, and a CPU build beside a CUDA torch has no operators for the GPU. Another CUDA minor is no fault.

It comes from an upgrade that moved torch alone. Install the pair together, from one index.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules._demands import companion
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, packages: dict[str, Package], torch: TorchDist) -> Problem | None:
    package = packages.get("torchvision")
    if package is None:
        return None
    then = 'Importing it fails, mostly with "operator torchvision::nms does not exist".'
    return companion(machine, "torchvision", package, torch, then)


RULE = Rule("AD303", "torchvision-mismatch", "error", "torchvision is for another torch", check)
