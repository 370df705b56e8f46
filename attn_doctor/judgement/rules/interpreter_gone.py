"""AD319 interpreter-gone

A virtual environment has no interpreter of its own: its bin/python is a link to the Python it was made from. Where that
one was removed or moved (an upgrade by the system, Homebrew, pyenv or uv), the link leads nowhere and nothing in the
environment can run, although all its packages are there.

Any other Python of the same minor version can take its place: beside the old one, on PATH, uv's, pyenv's, the system's.
`attn-doctor repair` links to it. Compiled packages do not load in a Python of another minor version.
"""

from __future__ import annotations

import shlex

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.python import Python


def check(python: Python) -> Problem | None:
    if not python.interpreter_gone:
        return None
    prefix = shlex.quote(python.prefix)
    minor = ".".join(python.version.split(".")[:2]) + ("t" if python.free_threaded else "")
    gone = f"{python.executable} leads nowhere: the Python {python.version} it was made from is gone"
    if python.instead is None:
        return Problem(
            f"{gone}, and no other Python {minor} was found. Install one (uv, pyenv, the packages of the system), "
            "then call attn-doctor repair.",
            (f"uv python install {minor} && attn-doctor repair --venv {prefix}",),
        )
    if python.kind == "uv":
        return Problem(f"{gone}.", (f"uv venv --allow-existing --python {python.instead or minor} {prefix}",))
    links = " ".join(f"{prefix}/bin/{name}" for name in ("python", "python3", f"python{minor}"))
    other = shlex.quote(python.instead) if python.instead else f"python{minor}"
    # venv does not touch a link that is there, wherever it leads
    return Problem(f"{gone}.", (f"rm -f {links} && {other} -m venv --upgrade --without-pip {prefix}",))


RULE = Rule("AD319", "interpreter-gone", "error", "the environment's interpreter is gone", check)
