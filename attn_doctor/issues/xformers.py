"""facebookresearch/xformers: its checklist, then the lines of collect_env."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attn_doctor.issues import _environment, _text
from attn_doctor.issues._project import Line, Project

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.judgement.view import Machine

CHECKLIST = 7


def lines(machine: Machine, report: Report) -> Iterator[Line]:
    xformers = machine.packages.get("xformers")
    torch = machine.torch
    yield Line("PyTorch Version", _environment.torch(machine))
    yield Line("OS", _environment.os(machine))
    yield Line("How you installed PyTorch", (torch.installer if torch else None) or "not said by its metadata")
    yield Line("Build command you used", (xformers.origin if xformers else None) or "none: a wheel")
    yield Line("Python version", _environment.python(machine))
    cuda = (torch.cuda if torch else None) or "none"
    yield Line(
        "CUDA/cuDNN version",
        f"{cuda} in torch, nvcc {_environment.toolkit(machine)}, cuDNN {_environment.cudnn(machine)}",
    )
    yield Line("GPU models and configuration", "; ".join(_environment.gpus(machine)))
    yield from _environment.collected(machine)
    yield Line("attn-doctor check", "")
    yield from _environment.judged(report)


def render(found: Sequence[Line]) -> str:
    checklist = "".join(f"- {line.name}: {line.value}\n" for line in found[:CHECKLIST])
    return f"{checklist}- Any other relevant information: below\n\n" + _text.in_two(
        found[CHECKLIST:], "Environment, as collect_env names it"
    )


PROJECT = Project("xformers", lines, render)
