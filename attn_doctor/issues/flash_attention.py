"""Dao-AILab/flash-attention: it has no form; what decides whether a wheel or a build works."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attn_doctor.issues import _environment, _text
from attn_doctor.issues._project import Line, Project

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.judgement.view import Machine

PACKAGES = ("flash-attn", "flash-attn-3", "flash-attn-4")


def lines(machine: Machine, report: Report) -> Iterator[Line]:
    installed = [name for name in PACKAGES if name in machine.packages]
    for name in installed:
        package = machine.packages[name]
        yield Line(name, package.version)
        yield Line("  built for", package.build or "its file does not say")
        yield Line("  wheel tags", ", ".join(package.tags) or "none recorded")
        yield Line("  installed from", package.origin or "an index")
        yield Line("  GPU code in it", _code(machine, name))
    if not installed:
        yield Line("flash-attn", "not installed")
    yield Line("", "")
    torch = machine.torch
    abi = {True: "TRUE", False: "FALSE", None: "not established"}[torch.cxx11abi if torch else None]
    yield Line("torch", _environment.torch(machine))
    yield Line("torch.version.cuda", (torch.cuda if torch else None) or "None")
    yield Line("C++11 ABI", abi)
    yield Line("Python", _environment.python(machine))
    yield Line("OS", _environment.os(machine))
    yield Line("libc", _environment.libc(machine))
    yield Line("", "")
    for number, gpu in enumerate(_environment.gpus(machine)):
        yield Line("GPU" if number == 0 else "   ", gpu.partition(": ")[2] or gpu)
    yield Line("driver", _environment.driver(machine))
    yield Line("nvcc", _environment.toolkit(machine))
    compiler = machine.compiler
    said = f"{compiler.family} {compiler.version}" if compiler else None
    yield Line("C++ compiler", _environment.unknown_or(machine, "compiler", said))
    yield Line("ninja", str(machine.has_ninja).lower())
    yield from _environment.cpu(machine)[1:]
    yield Line("", "")
    for one in _environment.packages(machine):
        yield Line("[pip]", one)
    for one in _environment.variables(machine):
        yield Line("[env]", one)
    yield Line("attn-doctor check", "")
    yield from _environment.judged(report)


def _code(machine: Machine, name: str) -> str:
    found = machine.extensions.packages.get(name, ()) if machine.extensions else ()
    held = sorted({arch for one in found for arch in (*one.cubins, *one.ptx)})
    return ", ".join(held) or "none read"


def render(found: Sequence[Line]) -> str:
    return _text.in_two(found, "Environment")


PROJECT = Project("flash-attention", lines, render)
