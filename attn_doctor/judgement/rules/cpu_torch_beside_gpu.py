"""AD104 cpu-torch-beside-gpu

torch comes in builds with and without CUDA. A build without it never uses an NVIDIA GPU, whatever driver or toolkit
is installed: `torch.cuda.is_available()` is False and everything runs on the CPU. It comes from an index of CPU
wheels, from PyPI on Windows, or from a dependency that was resolved without an index of CUDA wheels. Building
flash-attn against it fails with "CUDA_HOME is not set", although the toolkit may be there.
"""

from __future__ import annotations

from attn_doctor.judgement import commands, torch_choice
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.driver import Driver
from attn_doctor.machine.probes.gpus import Gpu
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, gpus: tuple[Gpu, ...], driver: Driver, torch: TorchDist) -> Problem | None:
    cards = [gpu for gpu in machine.gpus if gpu in gpus and gpu.vendor == "nvidia"]
    if not torch.cpu_only or not cards:
        return None
    move = torch_choice.best(machine)
    count = f" ({len(cards)} of them)" if len(cards) > 1 else ""
    return Problem(
        f"{cards[0].name}{count} lies idle: torch {torch.version} is a build without CUDA. "
        f"Driver {driver.version} is ready.",
        fix=(commands.install_torch(machine, move),) if move else (),
    )


RULE = Rule("AD104", "cpu-torch-beside-gpu", "error", "the GPU lies idle: torch is a CPU build", check)
