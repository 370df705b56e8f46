"""What `check` answers: findings, backends, a recommendation. Every format is made from this one object."""

from __future__ import annotations

from typing import Literal

import msgspec

from attn_doctor import __version__
from attn_doctor.judgement.verdict import BackendVerdict, Status
from attn_doctor.machine.gather import Facts

SCHEMA = "attn-doctor/report/1"
Severity = Literal["error", "warning", "info"]
Confidence = Literal["certain", "likely"]
FailOn = Literal["error", "warning", "never"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


class Location(msgspec.Struct, frozen=True):
    """A place in a file of the project that a finding comes from. `file` from the working folder; lines from 1."""

    file: str
    line: int
    column: int = 1


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
    location: Location | None = None


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


class Setting(msgspec.Struct, frozen=True):
    """One thing that the call is held to. `origin`: pyproject.toml:14, --require, default."""

    key: str
    value: str
    origin: str


class Elsewhere(msgspec.Struct, frozen=True):
    """A GPU that the policy lists, judged without having it. `met`: no error, and all that is required is ready."""

    gpu: str
    driver: str | None
    torch: str | None
    met: bool
    use_now: str | None
    required: dict[str, Status]
    findings: tuple[str, ...]  # codes of the errors there
    why: tuple[str, ...]  # what is not met, in sentences
    origin: str


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The policy of the project, and what came of it; its breaches are findings like others (AD5xx)."""

    file: str
    settings: tuple[Setting, ...]
    gpus: tuple[Elsewhere, ...] = ()
    lock: str | None = None
    notes: tuple[str, ...] = ()  # what was not judged, and why


class Implementation(msgspec.Struct, frozen=True):
    """One attention implementation of a model: by the model's own classes, and on this machine.

    `supported` None: only running the model's code would tell. `usable`: supported, and the backend is ready here.
    """

    backend: str
    word: str  # what transformers calls it
    supported: bool | None
    status: Status
    usable: bool
    reason: str


class ModelPart(msgspec.Struct, frozen=True):
    """A class whose flags decide; `key`: where its configuration stands, "" for the model itself."""

    key: str
    model_type: str | None
    architecture: str
    source: str  # below the folder of transformers, or beside the configuration
    flags: dict[str, bool]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What the installed transformers supports for one model (--model).

    `unknown`: why nothing is known of it, in one sentence; then there are no parts and no implementations, and `fix`
    holds the command after which there are.
    """

    asked: str
    transformers: str | None  # None: not installed
    model_type: str | None
    parts: tuple[ModelPart, ...]
    implementations: tuple[Implementation, ...]
    by_itself: str | None  # what is selected where nothing is asked for; None where that is not known
    use: str | None  # the best one that the model supports and that runs here
    notes: tuple[str, ...] = ()
    unknown: str | None = None
    fix: tuple[str, ...] = ()


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
    fail_on: FailOn = "error"  # the severity that makes the exit code 1
    hints: tuple[Hint, ...] = ()  # none where a FlashAttention is ready
    model: Model | None = None  # none without --model
    policy: Policy | None = None  # none where the project has none
    facts: Facts
