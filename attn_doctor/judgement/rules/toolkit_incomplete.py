"""AD203 toolkit-incomplete

The toolkit that a build would take has a compiler and lacks cuda_runtime.h or libcudart: only the nvcc package was
installed, or the image is a slim one. Compiling ends in "cuda_runtime.h: No such file or directory" or "cannot find
-lcudart". Headers of the mathematical libraries (cusparse.h, cusolverDn.h) come in packages of their own; flash-attn
needs none of them, others do.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import major_minor
from attn_doctor.machine.probes.system import System
from attn_doctor.machine.probes.toolkits import Toolkit, Toolkits
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, toolkits: Toolkits, torch: TorchDist, system: System) -> Problem | None:
    chosen = toolkits.build
    if chosen is None or (chosen.headers and chosen.runtime) or not _build.could_build(machine):
        return None
    missing = ["include/cuda_runtime.h"] * (not chosen.headers) + ["libcudart"] * (not chosen.runtime)
    whole = _build.best(toolkits.found, torch)
    fix = _build.export_home(whole) if whole else _package(chosen, system)
    return Problem(
        f"{chosen.root}, which a build would take, has nvcc but lacks {' and '.join(missing)}. {_build.ONLY_BUILDS}",
        fix=(fix,) if fix else (),
    )


def _package(toolkit: Toolkit, system: System) -> str | None:
    """NVIDIA's package of headers and runtime, where the toolkit is one of its packages."""
    name = (system.distribution or "").lower()
    if toolkit.version is None or not toolkit.root.startswith("/usr/local/cuda-"):
        return None
    version = major_minor(toolkit.version).replace(".", "-")
    if "debian" in name or "ubuntu" in name:
        return f"sudo apt install cuda-cudart-dev-{version}"
    if any(one in name for one in ("red hat", "fedora", "rocky", "alma", "centos")):
        return f"sudo dnf install cuda-cudart-devel-{version}"
    return None


RULE = Rule("AD203", "toolkit-incomplete", "info", "the CUDA toolkit is incomplete", check)
