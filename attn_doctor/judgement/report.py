"""What `check` answers: findings, backends, a recommendation. Every format is made from this one object."""

from __future__ import annotations

from typing import Literal

import msgspec

from attn_doctor import __version__
from attn_doctor.machine.gather import Facts

SCHEMA = "attn-doctor/report/1"
Severity = Literal["error", "warning", "info"]
Confidence = Literal["certain", "likely"]
Status = Literal["ready", "installable", "blocked", "unsupported"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
STATUSES: tuple[Status, ...] = ("ready", "installable", "blocked", "unsupported")  # best first


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong or worth knowing. `fix` holds commands, most advisable first."""

    code: str
    severity: Severity
    title: str
    detail: str
    evidence: tuple[str, ...]
    fix: tuple[str, ...]
    docs: str
    confidence: Confidence = "certain"
    ignored: bool = False


class GpuVerdict(msgspec.Struct, frozen=True):
    """A backend on the GPUs of one kind. `indices` as NVML counts them."""

    indices: tuple[int, ...]
    name: str
    status: Status
    reasons: tuple[str, ...]


class KernelVerdict(msgspec.Struct, frozen=True):
    """One kernel of sdpa on the GPUs of one kind: whether it can run for what is needed, and why not."""

    gpu: str
    kernel: str  # flash, mem_efficient, cudnn, math
    usable: bool
    chosen: bool
    reason: str | None = None


class BackendVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict over all GPUs is the worst of them: what is recommended runs on all."""

    name: str
    status: Status
    reasons: tuple[str, ...]
    version: str | None
    gpus: tuple[GpuVerdict, ...] = ()
    kernels: tuple[KernelVerdict, ...] = ()


class Recommendation(msgspec.Struct, frozen=True):
    """`use_now` is ready, `best` may need `next_step` (a command) first; None where there is none."""

    use_now: str | None
    best: str | None
    why: tuple[str, ...]
    next_step: str | None


class Hint(msgspec.Struct, frozen=True):
    """Something that helps here without FlashAttention. `snippet` is code or a command, one or more lines."""

    name: str
    text: str
    snippet: str
    source: str


class Skipped(msgspec.Struct, frozen=True):
    """A rule that could not be judged, because a fact it reads is not known."""

    code: str
    reason: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer."""

    schema: str = SCHEMA
    version: str = __version__
    findings: tuple[Finding, ...]
    backends: tuple[BackendVerdict, ...]
    recommendation: Recommendation
    skipped: tuple[Skipped, ...]
    unreadable: tuple[str, ...]  # what a verdict needs and no probe could say
    needs: dict[str, str]
    required: dict[str, bool]  # what --require asks for, and whether it is ready
    hints: tuple[Hint, ...] = ()  # none where a FlashAttention is ready
    facts: Facts
