"""AD204 nvcc-shadowed-by-distribution

A distribution's nvidia-cuda-toolkit puts its nvcc into /usr/bin, which most shells search before /usr/local/cuda/bin.
It is usually years older, so that a build stops with "unsupported architecture" or at another CUDA major than torch's,
although a fitting toolkit is installed.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import numbers
from attn_doctor.machine.probes.toolkits import Toolkits
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, toolkits: Toolkits, torch: TorchDist) -> Problem | None:
    first = toolkits.build
    if first is None or first.root not in _build.DISTRIBUTION_ROOTS or toolkits.build_by != "nvcc on PATH":
        return None
    others = [one for one in toolkits.found if one.root not in _build.DISTRIBUTION_ROOTS]
    better = _build.best(others, torch)
    if better is None or not first.version or not better.version or not _build.could_build(machine):
        return None
    if numbers(better.version) <= numbers(first.version):
        return None
    return Problem(
        f"a build would take the distribution's nvcc {first.version} (/usr/bin/nvcc), before {better.version} in "
        f"{better.root}; torch is CUDA {torch.cuda}. {_build.ONLY_BUILDS}",
        fix=(_build.export_home(better),),
    )


RULE = Rule("AD204", "nvcc-shadowed-by-distribution", "info", "an older nvcc comes first", check)
