"""AD202 cuda-home-guessed-wrong

Where CUDA_HOME is not set, torch's extension builder takes the folder above the nvcc on PATH, without following links
or reading scripts. An nvcc that is a link or a wrapper in /usr/local/bin makes it guess /usr/local: the compiler runs,
and the build ends in "cuda_runtime.h: No such file or directory". Naming the toolkit for the build mends it.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.toolkits import Toolkits
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, toolkits: Toolkits, torch: TorchDist) -> Problem | None:
    real = _build.used(toolkits)
    wrong_guess = toolkits.build_by == "nvcc on PATH" and toolkits.build is None
    if not wrong_guess or real is None or not _build.could_build(machine):
        return None
    version = f" ({real.version})" if real.version else ""
    return Problem(
        f"a build would take {toolkits.build_root} for the CUDA toolkit, from the nvcc on PATH; that one only leads to "
        f"{real.root}{version}, where the headers are. {_build.ONLY_BUILDS}",
        fix=(_build.export_home(_build.best(toolkits.found, torch) or real),),
    )


RULE = Rule("AD202", "cuda-home-guessed-wrong", "info", "a build would guess the wrong CUDA folder", check)
