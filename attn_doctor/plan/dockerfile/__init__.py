"""Judging a Dockerfile that somebody else wrote: what will fail, by its text alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from attn_doctor import __version__
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.parse import parse
from attn_doctor.plan.dockerfile.rules import findings
from attn_doctor.plan.dockerfile.stages import walk

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

SCHEMA = "attn-doctor/dockerfile/1"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A Dockerfile and what is wrong with it; of a machine without NVIDIA GPUs nothing is asked."""

    schema: str = SCHEMA
    version: str = __version__
    file: str
    findings: tuple[Finding, ...]


def judge(text: str, machine: Machine, file: str = "Dockerfile") -> Judgement:
    """Raises BadInput for what is no Dockerfile."""
    return Judgement(file=file, findings=findings(walk(parse(text, file), machine.arch), machine))
