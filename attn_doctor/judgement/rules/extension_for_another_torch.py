"""AD402 extension-for-another-torch

An extension is compiled against one torch, and asks its libraries for functions by their exact types. Another torch
has other ones: importing the extension then fails with "undefined symbol". Two cases:

- a symbol that ends in Ss on a torch of the new C++ ABI, or holds __cxx11 on one of the old: both torches may have
  the same version, but std::string is another type (torch wheels changed to the new ABI with 2.6 and 2.7);
- any other _ZN3c10, _ZN2at or _ZN5torch: the extension was built for another release of torch, often because torch was
  upgraded after it, sometimes by a package that asks for "torch" without a version.

The symbols of the extension were looked up in the very libraries that it would be given; nothing was run.
"""

from __future__ import annotations

from attn_doctor.judgement import binaries
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.extensions import Extension, Extensions
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, extensions: Extensions, torch: TorchDist) -> Problem | None:
    found = [
        binaries.mended(machine, package, _said(machine, package, file, torch))
        for package, file in binaries.packages(machine, extensions)
        if proves(file)
    ]
    if not found:
        return None
    detail, fix = binaries.together(found)
    return Problem(detail, fix)


def proves(file: Extension) -> bool:
    """Whether this is what keeps a file from loading; where CUDA is another one, that is said instead."""
    return binaries.is_for_another(file) and not binaries.missing_cuda(file)


def _said(machine: Machine, package: str, file: Extension, torch: TorchDist) -> str:
    called = binaries.called(machine, package)
    if lost := binaries.missing_torch(file):
        why = "is a build without CUDA" if torch.cpu_only else "does not have it"
        return f"{called}: {binaries.name(file)} needs {lost[0]}, and torch {torch.version} {why}."
    symbol = file.missing_symbols[0]
    words = binaries.first_symbol(file)
    mangled = f" ({symbol})" if words != symbol else ""
    more = f" and {file.missing_count - 1} more" if file.missing_count > 1 else ""
    return (
        f"{called}: {binaries.name(file)} asks for {words}{mangled}{more}, "
        f"which torch {torch.version} does not define: {_meaning(file, torch)}."
    )


def _meaning(file: Extension, torch: TorchDist) -> str:
    if None not in (file.cxx11abi, torch.cxx11abi) and file.cxx11abi != torch.cxx11abi:
        built, have = ("new", "old") if file.cxx11abi else ("old", "new")
        return f"it was built for the {built} C++ ABI, and this torch has the {have} one"
    return "it was built for another release of torch"


RULE = Rule("AD402", "extension-for-another-torch", "error", "an extension was built for another torch", check)
