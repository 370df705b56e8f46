"""AD110 mig-misuse

A GPU in MIG mode computes only through its instances. Where none is created (or none is passed into the container),
CUDA shows nothing of it. Where there are some, one process sees exactly one of them: a list of numbers does not mean
instances, and a program that wants several processes must give each its own CUDA_VISIBLE_DEVICES=MIG-....
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _visible
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.gpus import Gpu
from attn_doctor.machine.probes.system import System

LIST = "nvidia-smi -L  # names the instances"


def check(machine: Machine, gpus: tuple[Gpu, ...], environment: dict[str, str], system: System) -> Problem | None:
    cards = [gpu for gpu in gpus if gpu.vendor == "nvidia"]
    empty = [gpu for gpu in machine.gpus if gpu.mig is not None and not gpu.mig.instances]
    if empty:
        return _without_instances(empty, len(cards), system)
    asked = _visible.parse(environment.get("CUDA_VISIBLE_DEVICES", ""))
    parted = [gpu for gpu in cards if gpu.mig is not None]
    if asked.kind == "mig" and len(asked.items) > 1:
        return Problem(
            f"CUDA_VISIBLE_DEVICES names {len(asked.items)} MIG instances: one process sees only the first.", (LIST,)
        )
    if asked.kind != "index" or len(asked.items) < 2 or not parted:  # noqa: PLR2004 - a list
        return None
    indices = [int(item) for item in asked.items]
    if all(index < len(cards) and cards[index].mig is None for index in indices):
        return None
    count = sum(len(gpu.mig.instances) for gpu in parted if gpu.mig)
    return Problem(
        f"CUDA_VISIBLE_DEVICES={','.join(asked.items)} counts GPUs, not MIG instances (there are {count}): one process "
        "sees a single instance, which is named by its identifier.",
        fix=(LIST, "export CUDA_VISIBLE_DEVICES=MIG-..."),
    )


def _without_instances(empty: list[Gpu], count: int, system: System) -> Problem:
    indices = ", ".join(str(gpu.index) for gpu in empty)
    first = empty[0].index
    where = "passed into this container" if system.container else "created"
    fix = (
        ("docker run --gpus '\"device=0:0\"' ...  # GPU 0, its first instance",)
        if system.container
        else (f"sudo nvidia-smi mig -i {first} -cgi 0 -C", f"sudo nvidia-smi -i {first} -mig 0")
    )
    return Problem(
        f"GPU {indices} ({empty[0].name}) is in MIG mode and no instance is {where}: CUDA shows nothing of it.",
        fix=fix,
        title="a GPU in MIG mode has no instance",
        severity="error" if len(empty) == count else None,
    )


RULE = Rule("AD110", "mig-misuse", "warning", "a process sees one MIG instance only", check)
