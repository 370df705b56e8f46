"""AD116 rosetta

An x86_64 Python on Apple silicon runs, translated by Rosetta, and installs wheels for x86_64 Macs. torch's ended with
2.2. An arm64 Python has all of them and the GPU (MPS) at full speed.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.system import System

LAST_TORCH = "2.2.2"  # the last with macosx x86_64 wheels: package index, torch 2.2.2 and 2.3.0


def check(system: System, python: Python) -> Problem | None:
    if system.os != "macos" or not system.translated:
        return None
    minor = ".".join(python.version.split(".")[:2])
    said = "Python" if python.own else "The Python that runs attn-doctor (and so perhaps the target's)"
    return Problem(
        f"{said} is an x86_64 one, translated by Rosetta: the last torch for those is {LAST_TORCH}.",
        fix=(f"uv venv --python cpython-{minor}-macos-aarch64",),
    )


RULE = Rule("AD116", "rosetta", "warning", "an x86_64 Python on Apple silicon", check)
