"""AD901 newer-than-the-tables

A driver, torch or GPU here is newer than the newest row of attn-doctor's tables. It is judged by rule: a newer driver
runs what an older one ran, code runs on the same major capability and an equal or higher minor one, PTX on any later
one. Nothing is called incompatible for being new.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import cuda, torch_builds
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import numbers, public
from attn_doctor.machine.probes.driver import Driver
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, driver: Driver | None, torch: TorchDist | None) -> str | None:
    newer = []
    if driver and numbers(driver.version) > numbers(cuda.newest_driver(machine.os)):
        newer.append(f"driver {driver.version} (the tables end at {cuda.newest_driver(machine.os)})")
    if torch and numbers(public(torch.version)) > numbers(torch_builds.newest()):
        newer.append(f"torch {torch.version} (the tables end at {torch_builds.newest()})")
    if torch and torch.cuda and numbers(torch.cuda) > numbers(cuda.newest()):
        newer.append(f"CUDA {torch.cuda} (the tables end at {cuda.newest()})")
    latest = cuda.newest_capability()
    newer += [
        f"{gpu.name} with compute capability {gpu.compute_capability} (the tables end at {latest})"
        for gpu in machine.nvidia
        if gpu.compute_capability and capability(gpu.compute_capability) > capability(latest)
    ]
    if not newer:
        return None
    return f"{'; '.join(newer)}. Judged by rule; a newer attn-doctor may know more."


RULE = Rule("AD901", "newer-than-the-tables", "info", "newer than attn-doctor's tables", check)
