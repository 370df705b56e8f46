"""AD115 musl

torch publishes wheels for glibc alone. On a distribution with musl (Alpine) pip finds "no matching distribution", and
glibc shims do not carry it. A glibc image or distribution is the way; conda needs one as well.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.libc import Libc
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.system import System
from attn_doctor.machine.probes.torch import TorchDist


def check(system: System, libc: Libc, python: Python, torch: TorchDist | None) -> Problem | None:
    if libc.family != "musl" or torch is not None:
        return None
    minor = ".".join(python.version.split(".")[:2])
    return Problem(
        f"this system has musl {libc.version}, and no torch is published for it: pip will find none.",
        fix=(f"docker run -it python:{minor}-slim",) if system.container else (),
    )


RULE = Rule("AD115", "musl", "warning", "no torch is published for musl", check)
