"""AD401 extension-missing

A package is installed, and the compiled file that does its work is not there, is damaged, or is made for another
Python. Importing it fails with "No module named 'flash_attn_2_cuda'" or the like. It happens when a build ran with
FLASH_ATTENTION_SKIP_CUDA_BUILD, when an installation was interrupted, or when an environment was copied to another
Python.
"""

from __future__ import annotations

from attn_doctor.judgement import binaries
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.extensions import Extension, Extensions
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, extensions: Extensions, torch: TorchDist | None) -> Problem | None:
    if torch and torch.rocm:
        return None  # on AMD flash-attn can run in Triton alone
    found = [
        binaries.mended(machine, package, _said(machine, package, file))
        for package, file in binaries.packages(machine, extensions)
        if file.path is None or file.unreadable
    ]
    if not found:
        return None
    detail, fix = binaries.together(found)
    return Problem(detail, fix)


def _said(machine: Machine, package: str, file: Extension) -> str:
    called = binaries.called(machine, package)
    if file.path is None:
        why = f"; {file.unreadable}" if file.unreadable else ""
        return f"{called} is installed without its compiled extension: there is no {file.looked_for}{why}."
    return f"{called} cannot be loaded: {file.path}: {file.unreadable}."


RULE = Rule("AD401", "extension-missing", "error", "a package is there without its compiled extension", check)
