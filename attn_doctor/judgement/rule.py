"""What a rule is, how rules are found, and how one is applied to facts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from attn_doctor.discovery import discover
from attn_doctor.judgement.report import Confidence, Finding, Severity, Skipped
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.facts import Known, Unknown


class Problem(msgspec.Struct, frozen=True):
    """What a rule answers when a sentence alone will not do: commands that mend it, a title or severity of its own."""

    detail: str
    fix: tuple[str, ...] = ()
    title: str | None = None
    severity: Severity | None = None


class Rule(msgspec.Struct, frozen=True):
    """One finding code. `check` names the facts it reads as parameters; one annotated `| None` accepts absence."""

    code: str
    name: str
    severity: Severity
    title: str
    check: Callable[..., Problem | str | None]
    confidence: Confidence = "certain"
    doc: str = ""


@cache
def rules() -> dict[str, Rule]:
    """Every rule of the folder, by code, sorted."""
    modules = discover(__package__ + ".rules")
    found: list[Rule] = [msgspec.structs.replace(module.RULE, doc=module.__doc__ or "") for module in modules]
    return {rule.code: rule for rule in sorted(found, key=lambda rule: rule.code)}


def judge(rule: Rule, machine: Machine) -> Finding | Skipped | None:
    """Apply one rule. A fact that is Unknown skips it; one that is Absent silences it unless it accepts absence."""
    code = rule.check.__code__
    annotations = rule.check.__annotations__
    values: dict[str, Any] = {}
    evidence: list[str] = []
    for name in code.co_varnames[: code.co_argcount]:
        if name == "machine":
            values[name] = machine
            continue
        reading = machine.facts.readings[name]
        if isinstance(reading, Unknown):
            return Skipped(rule.code, f"{name} is not known: {reading.reason}")
        if isinstance(reading, Known):
            values[name] = reading.value
            evidence.append(f"{name}: {reading.source}")
        elif "None" in annotations[name]:
            values[name] = None
            evidence.append(f"{name}: none in {', '.join(reading.looked_in)}")
        else:
            return None
    try:
        answer = rule.check(**values)
    except Exception as error:  # noqa: BLE001 - one broken rule must not take the report with it
        return Skipped(rule.code, f"the rule failed: {type(error).__name__}: {error}")
    return _finding(rule, answer, tuple(evidence)) if answer is not None else None


def _finding(rule: Rule, answer: Problem | str, evidence: tuple[str, ...]) -> Finding:
    problem = Problem(answer) if isinstance(answer, str) else answer
    return Finding(
        code=rule.code,
        severity=problem.severity or rule.severity,
        title=problem.title or rule.title,
        detail=problem.detail,
        evidence=evidence,
        fix=problem.fix,
        docs=f"attn-doctor rule {rule.code}",
        confidence=rule.confidence,
    )
