"""AD317 no-pip-in-target

The environment has no pip of its own, and uv is not on PATH: the commands that attn-doctor prints have nobody to run
them. A `pip` from elsewhere would install somewhere else. An environment made by uv has no pip by design, and uv
installs into it.
"""

from __future__ import annotations

import shlex

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.tools import Tools


def check(python: Python, tools: Tools) -> Problem | None:
    # into one that belongs to the system nothing should be installed anyway
    unasked = not python.executable or python.own or python.externally_managed
    if unasked or "pip" in tools.found or "uv" in tools.found:
        return None
    conda = next((name for name in ("mamba", "conda") if name in tools.found), None)
    if python.kind == "conda" and conda:
        fix = f"{conda} install --prefix {shlex.quote(python.prefix)} pip"
    else:
        fix = f"{shlex.quote(python.executable)} -m ensurepip --upgrade"
    return Problem(f"{python.prefix} has no pip, and uv is not on PATH: nothing can be installed there yet.", (fix,))


RULE = Rule("AD317", "no-pip-in-target", "info", "the environment has no installer", check)
