"""AD215 python-headers-missing

Compiling an extension takes Python.h of the very interpreter it is for. Distributions put it into a package of its own
(python3-dev, python3-devel), which a virtual environment does not bring along. Without it a build stops after minutes
with "fatal error: Python.h: No such file or directory". Running torch and published wheels needs no headers.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.system import System
from attn_doctor.machine.probes.toolkits import Toolkits

DEBIANS = ("debian", "ubuntu", "mint")
RED_HATS = ("red hat", "fedora", "rocky", "alma", "centos")


def check(machine: Machine, python: Python, system: System, toolkits: Toolkits) -> Problem | None:
    if python.headers is not False or not toolkits.found or not _build.could_build(machine):
        return None
    return Problem(
        f"Python.h of Python {python.version} is not installed: a source build would stop. {_build.ONLY_BUILDS}",
        fix=_package(python, system),
    )


def _package(python: Python, system: System) -> tuple[str, ...]:
    """The distribution's own package, where the interpreter is the distribution's."""
    name = (system.distribution or "").lower()
    minor = ".".join(python.version.split(".")[:2])
    if any(one in name for one in DEBIANS):
        return (f"sudo apt install python{minor}-dev",)
    return (f"sudo dnf install python{minor}-devel",) if any(one in name for one in RED_HATS) else ()


RULE = Rule("AD215", "python-headers-missing", "info", "Python.h is missing: nothing can be compiled", check)
