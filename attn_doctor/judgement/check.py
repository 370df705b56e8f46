"""From facts to a report: every rule, every backend, one recommendation, one exit code."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement.backend import backends
from attn_doctor.judgement.backend import judge as judge_backend
from attn_doctor.judgement.hint import hints
from attn_doctor.judgement.need import Need
from attn_doctor.judgement.recommend import recommend
from attn_doctor.judgement.report import SEVERITIES, Finding, Report, Skipped
from attn_doctor.judgement.rule import judge, rules
from attn_doctor.judgement.verdict import STATUSES
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.facts import Unknown
from attn_doctor.machine.gather import Facts

if TYPE_CHECKING:
    from attn_doctor.judgement.allowed import Allowed

# without these there is no verdict
NEEDED = ("driver", "gpus", "python", "system", "torch")


def check(
    facts: Facts,
    need: Need,
    ignored: Collection[str] = (),
    required: Sequence[str] = (),
    allowed: Allowed | None = None,
) -> Report:
    """Judge the facts. `allowed`: whose wheels may be installed; no other is called a way or named in a fix."""
    machine = Machine(facts, allowed)
    answers = [judge(rule, machine) for rule in rules().values()]
    findings = [
        msgspec.structs.replace(answer, ignored=answer.code in ignored)
        for answer in answers
        if isinstance(answer, Finding)
    ]
    findings.sort(key=lambda finding: (SEVERITIES.index(finding.severity), finding.code))
    verdicts = [judge_backend(backend, machine, need) for backend in backends().values()]
    order = {name: place for place, name in enumerate(BACKEND_ORDER)}
    verdicts.sort(key=lambda verdict: (STATUSES.index(verdict.status), order.get(verdict.name, len(order))))
    ready = {verdict.name for verdict in verdicts if verdict.status == "ready"}
    return Report(
        findings=tuple(findings),
        backends=tuple(verdicts),
        recommendation=recommend(machine, verdicts, findings, need),
        skipped=tuple(answer for answer in answers if isinstance(answer, Skipped)),
        unreadable=tuple(
            f"{name}: {reading.reason}" for name in NEEDED if isinstance(reading := facts.readings[name], Unknown)
        ),
        needs=need.as_dict(),
        required={name: name in ready for name in required},
        hints=hints(machine, verdicts),
        facts=facts,
    )


# within one status, as people look for them
BACKEND_ORDER = (
    "flash_attention_2",
    "flash_attention_3",
    "flash_attention_4",
    "sdpa",
    "flex_attention",
    "xformers",
    "sage_attention",
    "triton",
    "eager",
    "flash_attention_1",
)


def exit_code(report: Report, fail_on: str) -> int:
    """0, 1 or 3 of the contract, from the report alone: the same in every format."""
    if not all(report.required.values()):
        return 1
    levels = () if fail_on == "never" else SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    if any(finding.severity in levels and not finding.ignored for finding in report.findings):
        return 1
    return 3 if report.unreadable else 0
