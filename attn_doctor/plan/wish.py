"""From what a call asks for to the plan: made, and held to what must be true once it is carried out."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from attn_doctor.errors import UsageError
from attn_doctor.judgement import check
from attn_doctor.judgement import need as needs
from attn_doctor.judgement.allowed import Allowed
from attn_doctor.judgement.report import SEVERITIES, Report
from attn_doctor.judgement.view import Machine
from attn_doctor.judgement.wheel_query import Asked
from attn_doctor.machine.gather import Facts
from attn_doctor.plan import choose
from attn_doctor.plan.plan import Plan, Step, Wish
from attn_doctor.plan.request import Request

NEVER = "never"
LEVELS = ("error", "warning", NEVER)
# FlashAttention 4's own demands come in with it, and are not among what a plan can name
COMES_WITH_IT = ("AD315",)


def plan(facts: Facts, backend: str | None, wish: Wish) -> Plan:
    """The plan, with the wish that it was made from."""
    asked = Asked(
        version=wish.version,
        sources=wish.sources,
        allowed=allowed(wish),
        trust=wish.trust,
        pre=wish.pre_releases,
    )
    request = Request(method=wish.method, asked=asked, max_jobs=wish.max_jobs, needs=wish.needs)
    found = choose.plan(facts, backend, request, needs.parse(wish.needs))
    return replace(held_to(found, facts, wish), asked=wish)


def allowed(wish: Wish) -> Allowed | None:
    """Whose wheels the policy allows, where it holds; a plan that was saved before it said where is one of a policy."""
    return Allowed(wish.allowed_sources, wish.allowed_by or "the policy") if wish.allowed_sources else None


def held_to(one: Plan, facts: Facts, wish: Wish) -> Plan:
    """The plan as it stands, or with what it would leave undone."""
    if wish.fail_on is not None and wish.fail_on not in LEVELS:
        raise UsageError(f"--fail-on {wish.fail_on}: expected {' or '.join(LEVELS)}")
    if not wish.required and wish.fail_on in (None, NEVER):
        return one
    after = choose.after_it(Machine(facts), one).facts
    report = check.check(after, needs.parse(wish.needs), wish.ignored, wish.required, allowed(wish))
    undone = tuple(_undone(report, wish))
    return replace(
        one,
        steps=tuple(_verified(step, wish) for step in one.steps),
        possible=one.possible and not undone,
        obstacles=(*one.obstacles, *undone),
    )


def _undone(report: Report, wish: Wish) -> Iterator[str]:
    for verdict in report.backends:
        if verdict.name in wish.required and verdict.status != "ready":
            why = f": {verdict.reasons[0]}" if verdict.reasons else ""
            yield f"--require {verdict.name}: it would be {verdict.status} afterwards{why}"
    if wish.fail_on in (None, NEVER):
        return
    levels = SEVERITIES[: SEVERITIES.index(wish.fail_on) + 1]
    for finding in report.findings:
        if finding.severity in levels and not finding.ignored and finding.code not in COMES_WITH_IT:
            yield f"--fail-on {wish.fail_on}: {finding.code} would be left: {finding.title}"


def _verified(step: Step, wish: Wish) -> Step:
    """The verifying step asks for the same."""
    if step.id != "verify":
        return step
    level = step.command.index("--fail-on") + 1
    command = (*step.command[:level], wish.fail_on or NEVER, *step.command[level + 1 :])
    ignored = (part for code in wish.ignored for part in ("--ignore", code))
    required = (part for name in wish.required if name not in command for part in ("--require", name))
    return replace(step, command=(*command, *ignored, *required))
