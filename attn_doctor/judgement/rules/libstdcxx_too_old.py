"""AD406 libstdcxx-too-old

A compiled file names the versions of the C++ library that it needs. Where the process loads an older libstdc++.so.6,
importing it fails with "version `GLIBCXX_3.4.30' not found". The older one is often not the system's: that of a conda
environment, or of a folder in LD_LIBRARY_PATH, is found first.
"""

from __future__ import annotations

from attn_doctor.judgement import binaries
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.extensions import Extensions, Offered


def check(machine: Machine, extensions: Extensions) -> Problem | None:
    offered = extensions.libstdcxx
    if offered is None:
        return None
    found = [
        (_said(machine, package, binaries.name(file), lacking, offered), _fix(machine, offered))
        for package, file in binaries.packages(machine, extensions)
        if (lacking := binaries.lacks_libstdcxx(machine, file))
    ]
    if not found:
        return None
    detail, fix = binaries.together(found)
    return Problem(detail, fix)


def _said(machine: Machine, package: str, file: str, lacking: tuple[str, ...], offered: Offered) -> str:
    newest = " and ".join(f"{family}_{version}" for family, version in offered.versions.items())
    return f"{binaries.called(machine, package)}: {file} needs {lacking[0]}; {offered.path} ends at {newest}."


def _fix(machine: Machine, offered: Offered) -> str:
    for folder in (machine.environment.get("LD_LIBRARY_PATH") or "").split(":"):
        if folder and offered.path.startswith(folder.rstrip("/") + "/"):
            return "unset LD_LIBRARY_PATH"
    if machine.python and machine.python.kind == "conda" and offered.path.startswith(machine.python.prefix):
        return "conda install -c conda-forge libstdcxx-ng"
    return ""


RULE = Rule("AD406", "libstdcxx-too-old", "error", "an extension needs a newer C++ library", check)
