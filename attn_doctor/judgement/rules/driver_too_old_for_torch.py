"""AD101 driver-too-old-for-torch

torch wheels carry their own CUDA runtime but not the driver. Each CUDA major needs a minimum driver (11: 450.80.02,
12: 525.60.13, 13: 580 on Linux); from there on every minor of that major runs. Below it `torch.cuda.is_available()`
is False, and no GPU backend can run.

Two ways out: a newer driver, or a torch that was built for an older CUDA.
"""

from __future__ import annotations

from attn_doctor.judgement import commands, torch_choice
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine, driver_runs
from attn_doctor.knowledge import cuda
from attn_doctor.machine.probes.driver import Driver
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, driver: Driver, torch: TorchDist) -> Problem | None:
    if torch.cuda is None or driver_runs(driver.version, torch.cuda, machine.os):
        return None
    floor = cuda.driver_floor(torch.cuda, machine.os)
    move = torch_choice.best(machine)
    return Problem(
        f"driver {driver.version} is older than {floor}, the minimum for torch {torch.version} (CUDA {torch.cuda}). "
        "torch will not use the GPU.",
        fix=(commands.install_torch(machine, move),) if move else (),
    )


RULE = Rule("AD101", "driver-too-old-for-torch", "error", "the driver is too old for this torch", check)
