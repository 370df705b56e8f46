"""AD321 unfinished-change

A change of this environment by attn-doctor has begun and is not over: the process was killed, or the machine lost its
power, while an installer was at work. Packages may be missing or there by half. What was there before is kept beside
the environment, and `attn-doctor rollback` puts it back in a second or two, without network; `attn-doctor install` does
the same before it begins anew. While an attn-doctor is at work on this environment at this very moment it is no fault.
"""

from __future__ import annotations

import shlex

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.changes import Changes


def check(machine: Machine, changes: Changes) -> Problem:
    what = f" ({changes.title})" if changes.title else ""
    target = ("--python", machine.python.executable) if machine.python and machine.python.executable else ()
    return Problem(
        f"change {changes.open}{what} of this environment was interrupted, unless attn-doctor is at work on it at this "
        "moment: packages may be there by half. What was there before is kept and can be put back.",
        fix=(shlex.join(("attn-doctor", "rollback", *target)),),
    )


RULE = Rule("AD321", "unfinished-change", "error", "a change of the environment was interrupted", check)
