"""AD319 interpreter-gone

A virtual environment has no interpreter of its own: its bin/python is a link to the Python it was made from. Where that
one was removed or moved (an upgrade by the system, Homebrew, pyenv or uv), the link leads nowhere and nothing in the
environment can run, although all its packages are there.
"""

from __future__ import annotations

import shlex

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.python import Python


def check(python: Python) -> Problem | None:
    if not python.interpreter_gone:
        return None
    prefix = shlex.quote(python.prefix)
    minor = ".".join(python.version.split(".")[:2])
    fix = (
        f"uv venv --allow-existing --python {minor} {prefix}"
        if python.kind == "uv"
        else f"python{minor} -m venv --upgrade {prefix}"
    )
    return Problem(f"{python.executable} leads nowhere: the Python {python.version} it was made from is gone.", (fix,))


RULE = Rule("AD319", "interpreter-gone", "error", "the environment's interpreter is gone", check)
