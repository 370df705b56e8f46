"""AD201 cuda-home-malformed

torch's extension builder takes CUDA_HOME (else CUDA_PATH) as it stands: one folder, the one that holds bin/nvcc and
include/cuda_runtime.h. A list of folders, a leading colon (from `CUDA_HOME=$CUDA_HOME:/usr/local/cuda`), the path of
nvcc itself or of bin, an unexpanded ~ or a folder that is gone all end in "No such file or directory:
'.../bin/nvcc'". Only builds read the variable.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.toolkits import Toolkits
from attn_doctor.machine.probes.torch import TorchDist

NO_NVCC = "holds no bin/nvcc"


def check(machine: Machine, environment: dict[str, str], torch: TorchDist, toolkits: Toolkits | None) -> Problem | None:
    name = next((name for name in ("CUDA_HOME", "CUDA_PATH") if environment.get(name)), None)
    if name is None or not _build.has_cuda_torch(machine):
        return None
    if toolkits is not None and (toolkits.build is not None or toolkits.build_by != name):
        return None
    value = environment[name]
    better = _build.best(toolkits.found, torch) if toolkits else None
    if value.rstrip("/") == "/usr" and better is None:
        return None
    leads_to = _build.used(toolkits) if toolkits else None
    fault = f"only leads to {leads_to.root}, where the headers are" if leads_to else _fault(value)
    return Problem(
        f"{name}={value!r} {fault}. A build would look for the toolkit there and stop.",
        fix=(_build.export_home(better) if better else f"unset {name}",),
        # one that is a folder without a compiler may be set for something else
        severity="info" if leads_to or fault == NO_NVCC else None,
    )


def _fault(value: str) -> str:
    if value.startswith(":"):
        return "begins with a colon"
    if ":" in value:
        return "is a list of folders, and one is wanted"
    if value[0] in "\"'" or value != value.strip():
        return "has quotes or blanks in it"
    if value.startswith("~") or "$" in value:
        return "was not expanded by the shell"
    if value.rstrip("/").endswith(("/bin", "/nvcc")):
        return "is not the folder above bin"
    return NO_NVCC


RULE = Rule("AD201", "cuda-home-malformed", "warning", "CUDA_HOME names no toolkit", check)
