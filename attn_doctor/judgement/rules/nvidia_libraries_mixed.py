"""AD316 nvidia-libraries-mixed

torch takes its CUDA libraries from packages named by CUDA major: nvidia-cudnn-cu12, nvidia-cudnn-cu13. Those of one
library write the same files (nvidia/cudnn/lib/libcudnn.so.9, nvidia/nccl/lib/libnccl.so.2): the one installed last is
what both have. A torch that moved to another CUDA leaves the old ones behind, and a second framework brings its own.
If torch works, leave it; uninstalling the odd one takes away files of the other, so reinstall that afterwards.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import major
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.torch import TorchDist

# they keep their files in a folder without the CUDA major in its name
SHARED = ("nvidia-cudnn", "nvidia-nccl")


def check(machine: Machine, packages: dict[str, Package], torch: TorchDist) -> Problem | None:
    if torch.cuda is None:
        return None
    right = f"cu{major(torch.cuda)}"
    wanted = {name: f"{name}-{right}" for name in SHARED if f"{name}-{right}" in packages}
    odd = [
        other
        for other in packages
        for name in wanted
        if other.startswith(f"{name}-cu") and other != wanted[name] and other.partition("-cu")[2]
    ]
    if not odd:
        return None
    kept = [wanted[name] for name in SHARED if name in wanted and any(other.startswith(name) for other in odd)]
    said = " and ".join(f"{name} {packages[name].version}" for name in sorted([*odd, *kept]))
    return Problem(
        f"{said} write the same files. torch {torch.version} is CUDA {torch.cuda} and has whichever came last.",
        fix=(
            commands.uninstall(machine, *odd),
            *(commands.reinstall(machine, name, packages[name].version) for name in kept),
        ),
    )


RULE = Rule("AD316", "nvidia-libraries-mixed", "info", "CUDA libraries of two CUDA majors share a folder", check)
