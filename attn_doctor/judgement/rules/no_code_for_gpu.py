"""AD103 no-code-for-gpu

A torch wheel carries machine code for a list of architectures. Code runs on a GPU of the same major capability and an
equal or higher minor one: sm_80 and sm_86 serve an RTX 4090 (8.9), so a list without sm_89 is no fault. Where nothing
in the list serves a GPU, every CUDA call on it fails with "no kernel image is available for execution on the device".

Two cases are common: a new GPU with an old torch (an RTX 50 needs CUDA 12.8), and an old GPU with a new torch (CUDA 13
dropped everything before Turing).
"""

from __future__ import annotations

from attn_doctor.judgement import commands, torch_choice
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import capability
from attn_doctor.machine.probes.gpus import Gpu
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, gpus: tuple[Gpu, ...], torch: TorchDist) -> Problem | None:
    visible = [gpu for gpu in machine.gpus if gpu in gpus]
    without = [gpu for gpu in visible if machine.lacks_code(gpu)]
    if not without:
        return None
    move = torch_choice.best(machine)
    others = [gpu for gpu in visible if gpu not in without]
    named = ", ".join(dict.fromkeys(_named(gpu, len(visible)) for gpu in without))
    needed = " and ".join(dict.fromkeys(capability.sm(gpu.compute_capability or "") for gpu in without))
    has = (
        f"torch {torch.version} has {capability.short(torch.arch_list)}"
        if torch.arch_list
        else f"CUDA {torch.cuda} has none"
    )
    sentence = f"{named} needs {needed}; {has}. "
    sentence += 'Every CUDA call on it will fail with "no kernel image is available".'
    fix = [commands.install_torch(machine, move)] if move else []
    if others:
        fix.append(
            f"export CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES={','.join(str(gpu.index) for gpu in others)}"
        )
    elif move is None:
        sentence += " No published torch serves it together with this driver and Python."
    # a display card that no torch ever served beside a GPU that works is no fault of the environment
    return Problem(
        sentence, tuple(fix), severity="warning" if others and not torch_choice.conceivable(machine) else None
    )


def _named(gpu: Gpu, count: int) -> str:
    return f"GPU {gpu.index} ({gpu.name})" if count > 1 else gpu.name


RULE = Rule("AD103", "no-code-for-gpu", "error", "torch has no code for this GPU", check)
