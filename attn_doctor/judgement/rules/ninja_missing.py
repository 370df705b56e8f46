"""AD211 ninja-missing

Without ninja torch's extension builder compiles one file at a time: flash-attn then takes hours instead of minutes,
and says so in a single line ("Falling back to using the slow distutils backend").
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules import _build
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.ninja import Ninja
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.toolkits import Toolkits


def check(machine: Machine, packages: dict[str, Package], toolkits: Toolkits, ninja: Ninja | None) -> Problem | None:
    if ninja is not None or not toolkits.found or "flash-attn" in packages or not _build.could_build(machine):
        return None
    return Problem(
        f"there is no ninja: a source build here would compile one file at a time. {_build.ONLY_BUILDS}",
        fix=(f"{commands.installer(machine)} ninja",),
    )


RULE = Rule("AD211", "ninja-missing", "info", "ninja is missing: builds take hours", check)
