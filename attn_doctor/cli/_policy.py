"""`--policy` and `--no-policy`: the policy of the project, merged with the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attn_doctor.cli import options
from attn_doctor.errors import NoTarget, UsageError

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.machine.gather import Facts
    from attn_doctor.policy.call import Call, Settings
    from attn_doctor.policy.read import Policy


def load(file: str | None, none: bool) -> Policy | None:
    """The policy that `--policy` names or that is found; None with `--no-policy`. Raises BadPolicy and BadInput."""
    if file is not None and none:
        raise UsageError("--policy and --no-policy contradict each other: give one")
    if none:
        return None
    from attn_doctor.policy import find

    for found in [find.named(file)] if file is not None else find.found():
        from attn_doctor.policy import settings

        policy = settings.load(found, options.today())
        if policy is not None:
            return policy
    if file is not None:
        raise UsageError(f"--policy {file}: there is no [tool.{find.TABLE}] in it", "Write one: attn-doctor init")
    return None


def merged(call: Call, file: str | None, none: bool) -> Settings:
    """What holds for the call."""
    policy = load(file, none)
    if policy is None:
        from attn_doctor.policy.call import alone

        return alone(call)
    from attn_doctor.policy.settings import merge

    return merge(call, policy)


def facts(settings: Settings, call: Call, what_ifs: list[str], deep: bool = False) -> Facts:
    """Facts of the target; where the policy names one that is not there, the error says where it stands."""
    try:
        return options.gather_facts(settings.python, settings.venv, call.facts, what_ifs, deep, by_policy=False)
    except NoTarget as error:
        if settings.policy is None or call.python or call.venv:
            raise
        from attn_doctor.policy.target import Named

        key = "python" if settings.python else "venv"
        place = settings.policy.source.origin(("target", key))
        raise Named(settings.python, settings.venv, place).refused(error) from error


def judged(found: Facts, settings: Settings) -> Report:
    """The report, held to the policy where there is one."""
    from attn_doctor.judgement import check
    from attn_doctor.judgement import need as needs

    if settings.policy is None:
        return check.check(found, needs.parse(settings.need), settings.ignored, settings.required)
    from attn_doctor.policy import judge

    required = judge.required_here(settings, found)
    return judge.held_to(check.check(found, needs.parse(settings.need), settings.ignored, required), settings)


def wheel_sources(settings: Settings) -> tuple[str, ...]:
    """Whose wheels the policy allows; none where it does not say."""
    return settings.policy.keys.wheel_sources if settings.policy else ()


def located(report: Report) -> Report:
    """With the lines of the project that its findings speak of."""
    if not report.findings:
        return report
    from attn_doctor.policy import requirements

    return requirements.located(report)
