"""AD302 torch-swapped-by-dependency

What pip believes of torch stands in the name of its metadata folder (torch-2.8.0.dist-info); what is really there
stands in torch/version.py. They part when an install of another package replaced torch and was interrupted, when two
installers (pip and conda) wrote into one folder, or when files were copied. Then pip resolves against a torch that is
not there, and packages that ask the metadata (transformers) decide by the wrong version. Two metadata folders are the
same fault: which of them is read depends on the order of a listing.

A wheel of PyPI says 2.8.0 in its metadata and 2.8.0+cu128 in its files: that is no fault.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.torch_builds import is_release
from attn_doctor.knowledge.versions import local, numbers, public
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, torch: TorchDist) -> Problem | None:
    true = [record for record in torch.records if _same(_version(record), torch.version)]
    if not torch.records or torch.records == tuple(true[:1]):
        return None
    fix = commands.reinstall_torch(machine)
    mends = (fix,) if fix else ()
    folders = " and ".join(torch.records)
    if not true:
        agrees = any(numbers(public(_version(record))) == numbers(public(torch.version)) for record in torch.records)
        said = f"the files are torch {torch.version}, the metadata beside them is {folders}. "
        said += "pip, and whatever asks it, decides by a torch that is not there."
        return Problem(said, mends, severity="warning" if agrees else None)
    stale = [record for record in torch.records if record not in true[:1]]
    site = (torch.location or "").rpartition("/")[0]
    return Problem(
        f"there are two records of one torch: {folders}. The files are {torch.version}; "
        "which record is believed depends on the order of a listing.",
        (commands.remove(machine, [f"{site}/{record}" for record in stale]), *mends),
        title="two records of torch in one environment",
        severity="warning",
    )


def _version(record: str) -> str:
    """'2.8.0+cu128' of torch-2.8.0+cu128.dist-info."""
    return record.removeprefix("torch-").rpartition(".")[0].partition("-py3")[0]


def _same(recorded: str, true: str) -> bool:
    """By release; builds count only where both are named as PyTorch names them."""
    if numbers(public(recorded)) != numbers(public(true)):
        return False
    builds = {local(recorded), local(true)}
    return None in builds or len(builds) == 1 or not (is_release(recorded) and is_release(true))


RULE = Rule("AD302", "torch-swapped-by-dependency", "error", "torch is not the version that pip believes", check)
