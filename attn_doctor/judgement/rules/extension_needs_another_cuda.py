"""AD403 extension-needs-another-cuda

An extension is linked to the CUDA libraries of one major version: libcudart.so.12 or libcudart.so.13. torch brings
those of its own. Where the extension asks for the other ones, and the loader finds none, importing it fails with
"libcudart.so.12: cannot open shared object file". Where the system happens to have them, both majors are in one
process, and what torch and the extension know of a GPU is kept twice: that loads, and is worth a warning.

A file of flash-attn up to 2.8.3 for CUDA 12 is what its setup downloads for a torch of CUDA 13.
"""

from __future__ import annotations

import re

from attn_doctor.judgement import binaries
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import major
from attn_doctor.machine.probes.extensions import Extension, Extensions
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, extensions: Extensions, torch: TorchDist) -> Problem | None:
    files = list(binaries.packages(machine, extensions))
    broken = [(package, file) for package, file in files if binaries.missing_cuda(file)]
    mixed = [(package, file) for package, file in files if other_major(file, torch)]
    found = [
        binaries.mended(machine, package, _said(machine, package, file, torch)) for package, file in broken or mixed
    ]
    if not found:
        return None
    detail, fix = binaries.together(found)
    return Problem(detail, fix, severity=None if broken else "warning")


def other_major(file: Extension, torch: TorchDist) -> str | None:
    """The CUDA runtime that a file is linked to, where torch's is of another major version."""
    for library in file.needed:
        linked = re.fullmatch(r"libcudart\.so\.(\d+)(\.\d+)*", library)
        if linked and torch.cuda and int(linked[1]) != major(torch.cuda):
            return library
    return None


def _said(machine: Machine, package: str, file: Extension, torch: TorchDist) -> str:
    lost = binaries.missing_cuda(file)
    library = lost[0] if lost else other_major(file, torch)
    have = f"CUDA {torch.cuda}" if torch.cuda else "no CUDA"
    ending = "the loader finds none" if lost else f"two CUDA runtimes meet ({file.needed.get(library or '')})"
    called = binaries.called(machine, package)
    return f"{called}: {binaries.name(file)} needs {library}; torch {torch.version} brings {have}, and {ending}."


RULE = Rule("AD403", "extension-needs-another-cuda", "error", "an extension was built for another CUDA", check)
