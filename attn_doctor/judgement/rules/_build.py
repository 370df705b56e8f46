"""What the rules about source builds share: whether one could be begun here, and with what."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from attn_doctor.judgement import source_build
from attn_doctor.knowledge.versions import major

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.toolkits import Toolkit, Toolkits
    from attn_doctor.machine.probes.torch import TorchDist

DISTRIBUTION_ROOTS = ("/usr", "/usr/lib/nvidia-cuda-toolkit")
ONLY_BUILDS = "Nothing to do unless you compile an extension here."


def has_cuda_torch(machine: Machine) -> bool:
    """Whether torch's extension builder would look for a toolkit at all; Windows finds its own in another way."""
    return machine.os == "linux" and machine.torch is not None and machine.torch.cuda is not None


def could_build(machine: Machine) -> bool:
    """Whether a build could be begun: with no toolkit of torch's major (AD214) no other word about builds helps."""
    torch, toolkits = machine.torch, machine.toolkits
    if torch is None or torch.cuda is None or toolkits is None or not has_cuda_torch(machine):
        return False
    return any(one.version and major(one.version) == major(torch.cuda) for one in toolkits.found)


def best(toolkits: Iterable[Toolkit], torch: TorchDist) -> Toolkit | None:
    """The toolkit that a build should take."""
    return source_build.best_toolkit(tuple(toolkits), torch.cuda)


def used(toolkits: Toolkits) -> Toolkit | None:
    """The toolkit whose compiler runs: where the guess of the builder is none, the one that its nvcc leads to."""
    by = {"nvcc on PATH": "PATH"}.get(toolkits.build_by or "", toolkits.build_by)
    return toolkits.build or next((one for one in toolkits.found if by in one.seen_by), None)


def export_home(toolkit: Toolkit) -> str:
    """The command that makes torch's builder take it."""
    root = shlex.quote(toolkit.root)
    return f"export CUDA_HOME={root} PATH={shlex.quote(toolkit.root + '/bin')}:$PATH"
