"""What stands on the command line, and what holds in the end; light, for the calls that meet no policy.

The command and the library go through here alike: a policy is looked for, merged with the call, and judged by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from attn_doctor.errors import UsageError
from attn_doctor.judgement import names
from attn_doctor.judgement.report import Setting

if TYPE_CHECKING:
    from collections.abc import Collection

    from attn_doctor.errors import NoTarget
    from attn_doctor.judgement.allowed import Allowed
    from attn_doctor.judgement.report import Report
    from attn_doctor.machine.gather import Facts
    from attn_doctor.policy.read import Policy

DEFAULT_LEVEL = "error"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What stands on the command line."""

    python: str | None = None
    venv: str | None = None
    facts: str | None = None
    need: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fail_on: str | None = None


class Settings:
    """What holds. `required` has backends by their own names; `of_policy`: those that the policy alone asks for."""

    def __init__(
        self,
        call: Call,
        *,
        fail_on: str,
        need: tuple[str, ...] = (),
        of_policy: tuple[str, ...] = (),
        ignored: tuple[str, ...] = (),
        target: tuple[str | None, str | None] = (None, None),
        allowed: Allowed | None = None,
        told: tuple[Setting, ...] = (),
        policy: Policy | None = None,
    ) -> None:
        required = tuple(dict.fromkeys(names.backend(one) for one in call.require))
        self.python, self.venv = target
        self.targeted = target != (call.python, call.venv)  # by the policy
        self.need = (*need, *call.need)
        self.required = tuple(dict.fromkeys((*of_policy, *required)))
        self.of_policy = tuple(one for one in of_policy if one not in required)
        self.ignored = (*ignored, *call.ignore)
        self.fail_on = fail_on
        self.allowed = allowed
        self.told = told
        self.policy = policy


def load(file: str | None, today: str, keys: Collection[str] | None = None) -> Policy | None:
    """The policy of a file, else the one of the project; None where there is none.

    `keys`: those that the call takes; what is wrong with the others is for `check` to say.
    Raises BadPolicy and BadInput; UsageError for a file without one.
    """
    from attn_doctor.policy import find

    for found in [find.named(file)] if file is not None else find.found():
        from attn_doctor.policy import settings

        policy = settings.load(found, today, keys)
        if policy is not None:
            return policy
    if file is not None:
        raise UsageError(f"--policy {file}: there is no [tool.{find.TABLE}] in it", "Write one: attn-doctor init")
    return None


def merged(call: Call, policy: Policy | None) -> Settings:
    """The command line over the policy, the policy over the defaults."""
    if policy is None:
        return Settings(call, fail_on=call.fail_on or DEFAULT_LEVEL, target=(call.python, call.venv))
    from attn_doctor.policy.settings import merge

    return merge(call, policy)


def refused(settings: Settings, error: NoTarget) -> NoTarget:
    """The error of a target that is not there; where the policy names it, with its place there."""
    if settings.policy is None or not settings.targeted:
        return error
    from attn_doctor.policy.target import Named

    key = "python" if settings.python else "venv"
    place = settings.policy.source.origin(("target", key))
    return Named(settings.python, settings.venv, place).refused(error)


def judged(found: Facts, settings: Settings) -> Report:
    """The report, held to the policy where there is one."""
    from attn_doctor.judgement import check
    from attn_doctor.judgement import need as needs

    need = needs.parse(settings.need)
    if settings.policy is None:
        return check.check(found, need, settings.ignored, settings.required)
    from attn_doctor.policy import judge

    required = judge.required_here(settings, found)
    return judge.held_to(check.check(found, need, settings.ignored, required, settings.allowed), settings)
