"""`--policy` and `--no-policy`: the policy of the project, merged with the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attn_doctor.cli import options
from attn_doctor.errors import NoTarget, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from attn_doctor.judgement.report import Policy as Told
    from attn_doctor.judgement.report import Report
    from attn_doctor.machine.gather import Facts
    from attn_doctor.policy.call import Call, Settings

# what commands take that are not held to all of it
WHEELS = ("target", "wheel-sources")
NEEDS_AND_WHEELS = (*WHEELS, "need")


def merged(call: Call, file: str | None, none: bool, keys: Collection[str] | None = None) -> Settings:
    """What holds for the call. `keys`: all that it takes of a policy. Raises BadPolicy and BadInput."""
    from attn_doctor.policy import call as calls

    if file is not None and none:
        raise UsageError("--policy and --no-policy contradict each other: give one")
    return calls.merged(call, None if none else calls.load(file, options.today(), keys))


def facts(settings: Settings, call: Call, what_ifs: list[str], deep: bool = False) -> Facts:
    """Facts of the target; where the policy names one that is not there, the error says where it stands."""
    try:
        return options.gather_facts(settings.python, settings.venv, call.facts, what_ifs, deep, by_policy=False)
    except NoTarget as error:
        from attn_doctor.policy.call import refused

        raise refused(settings, error) from error


def judged(found: Facts, settings: Settings) -> Report:
    """The report, held to the policy where there is one."""
    from attn_doctor.policy.call import judged as judge

    return judge(found, settings)


def told(settings: Settings, keys: Collection[str]) -> Told | None:
    """What a command took of the policy, and what the call put in its place; None without a policy."""
    if settings.policy is None:
        return None
    from attn_doctor.judgement.report import Policy

    taken = tuple(one for one in settings.told if one.key.partition(".")[0] in keys)
    return Policy(file=settings.policy.source.file, settings=taken)


def located(report: Report) -> Report:
    """With the lines of the project that its findings speak of."""
    if not report.findings:
        return report
    from attn_doctor.policy import requirements

    return requirements.located(report)
