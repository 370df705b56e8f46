"""What stands on the command line, and what holds in the end; light, for the calls that meet no policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from attn_doctor.judgement import names
from attn_doctor.judgement.report import Setting

if TYPE_CHECKING:
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
        told: tuple[Setting, ...] = (),
        policy: Policy | None = None,
    ) -> None:
        required = tuple(dict.fromkeys(names.backend(one) for one in call.require))
        self.python, self.venv = target
        self.need = (*need, *call.need)
        self.required = tuple(dict.fromkeys((*of_policy, *required)))
        self.of_policy = tuple(one for one in of_policy if one not in required)
        self.ignored = (*ignored, *call.ignore)
        self.fail_on = fail_on
        self.told = told
        self.policy = policy


def alone(call: Call) -> Settings:
    """The command line over the defaults: there is no policy."""
    return Settings(call, fail_on=call.fail_on or DEFAULT_LEVEL, target=(call.python, call.venv))
