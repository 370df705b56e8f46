"""A wheel that attn-doctor built here: whether it is for the very torch, CUDA, Python and GPUs that are here now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attn_doctor.judgement import source_build
from attn_doctor.knowledge import attention
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import major
from attn_doctor.wheels.catalogue import version_key

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.built_wheels import BuiltWheel


def fitting(machine: Machine, package: str, series: str, version: str | None = None) -> BuiltWheel | None:
    """The newest that fits, of that version where one is asked for; it has code for every GPU."""
    if not machine.built_wheels or (package, series) not in source_build.COMPILED:
        return None
    row = attention.source_build(package, series)
    if any(capability(on)[0] not in row.majors for on in machine.capabilities):
        return None
    archs = set(source_build.architectures(row, machine.capabilities))
    found = (
        one
        for one in machine.built_wheels
        if one.package == package
        and str(major(one.version)) == series
        and version in (None, one.version)
        and archs
        and archs <= set(one.cuda_archs)
        and _is_for(machine, one)
    )
    return max(found, key=lambda one: (version_key(one.version), one.built or "", one.path), default=None)


def _is_for(machine: Machine, one: BuiltWheel) -> bool:
    torch, python, libc = machine.torch, machine.python, machine.libc
    if torch is None or python is None:
        return False
    here = (python.tag, machine.os, machine.arch, f"{libc.family}{libc.version}" if libc else None)
    of_torch = (torch.version, torch.cuda, torch.cxx11abi)
    return here == (one.python, one.os, one.arch, one.libc) and of_torch == (one.torch, one.cuda, one.cxx11abi)


def described(one: BuiltWheel) -> str:
    """'the wheel that was built here on 2026-11-28'."""
    return "the wheel that was built here" + (f" on {one.built}" if one.built else "")
