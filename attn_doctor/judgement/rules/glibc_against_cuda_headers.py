"""AD207 glibc-against-cuda-headers

glibc 2.41 declares cospi and sinpi, 2.42 rsqrt, each with an exception specification; crt/math_functions.h of CUDA
before 13.0 and 13.2 declares them without. Every compile ends in "exception specification is incompatible with that of
previous function "cospi"", whatever gcc is taken. A newer toolkit of torch's major mends it; so does a container with
an older glibc. The header itself is read, so that a patched one is left alone.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import build_hazards
from attn_doctor.knowledge.build_hazards import GlibcMath
from attn_doctor.knowledge.versions import numbers
from attn_doctor.machine.probes.libc import Libc
from attn_doctor.machine.probes.toolkits import Toolkit, Toolkits
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, toolkits: Toolkits, libc: Libc, torch: TorchDist) -> Problem | None:
    chosen = _build.used(toolkits) or _build.best(toolkits.found, torch)
    rows = build_hazards.clashing(libc.version) if libc.family == "glibc" else ()
    if chosen is None or not _build.could_build(machine) or _own_glibc(machine):
        return None
    against = [row for row in rows if _clashes(chosen, row)]
    if not against:
        return None
    functions = " and ".join(name for row in against for name in row.functions)
    needed = max((row.cuda_before for row in against), key=numbers)
    whole = [one for one in toolkits.found if one.version and not any(_clashes(one, row) for row in rows)]
    better = _build.best(whole, torch)
    return Problem(
        f"glibc {libc.version} and the headers of CUDA {chosen.version} declare {functions} differently: every compile "
        f"would stop. CUDA {needed} is the first whose headers agree. {_build.ONLY_BUILDS}",
        fix=(_build.export_home(better),) if better else (),
    )


def _clashes(toolkit: Toolkit, row: GlibcMath) -> bool:
    """By the header where it was read; by the version only for a toolkit as NVIDIA installs it."""
    if toolkit.bare_math is not None:
        return any(name in toolkit.bare_math for name in row.functions)
    plain = toolkit.root.startswith("/usr/local/cuda") and toolkit.version is not None
    return plain and numbers(toolkit.version or "") < numbers(row.cuda_before)


def _own_glibc(machine: Machine) -> bool:
    """Whether the compiler brings the headers of another glibc along, as conda's does."""
    return "conda" in ((machine.compiler and machine.compiler.path) or "")


RULE = Rule("AD207", "glibc-against-cuda-headers", "info", "glibc and the CUDA headers disagree", check)
