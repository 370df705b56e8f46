"""AD214 toolkit-major-mismatch

torch's extension builder refuses an nvcc of another CUDA major than the one torch was built with; a differing minor is
only a line in the log. This stops source builds and nothing else: running torch and prebuilt wheels needs no toolkit.
A toolkit of the right major can stand beside the installed one and be named for one build with CUDA_HOME.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Rule
from attn_doctor.knowledge.versions import major
from attn_doctor.machine.probes.toolkits import Toolkits
from attn_doctor.machine.probes.torch import TorchDist


def check(toolkits: Toolkits, torch: TorchDist) -> str | None:
    if torch.cuda is None or toolkits.version is None:
        return None
    versions = [toolkit.version for toolkit in toolkits.found if toolkit.version]
    if any(major(version) == major(torch.cuda) for version in versions):
        return None
    return (
        f"a source build here would stop: nvcc is CUDA {toolkits.version}, torch is CUDA {torch.cuda}. Nothing to do "
        f"unless you build; then put a CUDA {torch.cuda} toolkit beside this one and set CUDA_HOME for that build."
    )


RULE = Rule("AD214", "toolkit-major-mismatch", "warning", "nvcc and torch are of different CUDA majors", check)
