"""AD421 deep-contradicts-files

With `--deep` the imported torch says something else than its files: another version (a second copy is found first),
another CUDA build, another C++ ABI, or no CUDA where driver, GPU and build promise it. The running torch is right; the
files mislead every installer that reads them.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import public
from attn_doctor.machine.probes.deep import Import
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, deep: dict[str, Import], torch: TorchDist) -> Problem | None:
    imported = deep.get("torch")
    if imported is None or imported.error or imported.torch is None:
        return None
    differences = list(_differences(machine, imported, torch))
    return Problem("; ".join(differences) + ".") if differences else None


def _differences(machine: Machine, imported: Import, torch: TorchDist) -> Iterator[str]:
    says = imported.torch
    if imported.version and public(imported.version) != public(torch.version):
        yield f"the files say torch {torch.version}, the import says {imported.version} from {imported.file}"
    if says is None:
        return
    if says.cuda != torch.cuda:
        yield f"the files say CUDA {torch.cuda or 'none'}, the import says {says.cuda or 'none'}"
    if None not in (says.cxx11abi, torch.cxx11abi) and says.cxx11abi != torch.cxx11abi:
        yield f"the C++ ABI is {'new' if says.cxx11abi else 'old'}, the files say the other"
    if says.cuda_available is False and machine.device == "cuda":
        yield "torch.cuda.is_available() is False, although driver, GPU and build promise CUDA"


RULE = Rule("AD421", "deep-contradicts-files", "warning", "the imported torch is not what its files say", check)
