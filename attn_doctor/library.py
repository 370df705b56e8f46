"""What a script may call: `attn_doctor.check()`; `attn_doctor.resolve()` stands in here.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import os

    from attn_doctor.judgement.report import Report
    from attn_doctor.policy.call import Call, Settings


def check(
    python: str | None = None,
    venv: str | None = None,
    *,
    need: Sequence[str] = (),
    what_if: Sequence[str] = (),
    deep: bool = False,
    policy: str | os.PathLike[str] | bool = False,
) -> Report:
    """Probe this machine and a target environment and judge them, as `attn-doctor check` does.

    A notebook shows the answer as a page.

    `need` and `what_if` are as on the command line: ("dtype=bf16", "causal"), ("torch=2.8.0",). `policy`: the path of a
    policy, or True for the one that `attn-doctor check` would find from the working folder (none is no error); without
    it none is read. The arguments win over the policy as options do, and what breaches it is among the findings.

    Raises attn_doctor.errors.AttnDoctorError, with a message and a hint, where the call, the target or the policy is
    wrong.
    """
    from attn_doctor.errors import NoTarget
    from attn_doctor.machine import whatif
    from attn_doctor.machine.gather import gather
    from attn_doctor.machine.host import LiveHost
    from attn_doctor.machine.target import locate
    from attn_doctor.notebook import shown
    from attn_doctor.policy.call import Call, judged, refused

    settings = _settings(Call(python=python, venv=venv, need=tuple(need)), policy)
    host = LiveHost()
    try:
        target = msgspec.structs.replace(locate(host, settings.python, settings.venv), deep=deep)
    except NoTarget as error:
        raise refused(settings, error) from error
    report = judged(whatif.apply(gather(host, target), what_if), settings)
    if settings.policy is not None:
        from attn_doctor.policy import requirements

        report = msgspec.structs.replace(requirements.located(report), fail_on=settings.fail_on)
    return shown(report)


def _settings(call: Call, policy: str | os.PathLike[str] | bool) -> Settings:
    """What holds: the arguments over the policy that is asked for."""
    import os
    import time

    from attn_doctor.policy.call import load, merged

    if policy is False:
        return merged(call, None)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    return merged(call, load(None if policy is True else os.fspath(policy), today))
