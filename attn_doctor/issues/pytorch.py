"""pytorch/pytorch: the lines of `python -m torch.utils.collect_env`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attn_doctor.issues import _environment, _text
from attn_doctor.issues._project import Line, Project

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.judgement.view import Machine


def lines(machine: Machine, report: Report) -> Iterator[Line]:
    yield from _environment.collected(machine)
    yield Line("attn-doctor check", "")
    yield from _environment.judged(report)


def render(found: Sequence[Line]) -> str:
    return _text.in_two(found, "Versions, as collect_env names them")


PROJECT = Project("pytorch", lines, render)
