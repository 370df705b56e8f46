"""AD309 two-torches

Python takes the first torch on its path: folders of PYTHONPATH come before everything, and the packages of the user
(~/.local) before those of a system or conda environment. A torch there hides the environment's own, whose torchvision,
flash-attn and xFormers were built for it: "operator torchvision::nms does not exist", undefined symbols, a version that
no pip command seems to change. A virtual environment that overlays the system's torch with one of its own is no fault.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.leftovers import Leftovers
from attn_doctor.machine.probes.python import Python


def check(machine: Machine, python: Python, leftovers: Leftovers) -> Problem | None:
    copies, versions = leftovers.torch_copies, leftovers.torch_versions
    own = [index for index, copy in enumerate(copies) if python.prefix and _inside(copy, python.prefix)]
    if len(copies) != len(versions) or not own or own[0] == 0:
        return None
    wins, hidden = copies[0], copies[own[0]]
    first, second = versions[0], versions[own[0]]
    site = wins.rpartition("/")[0]
    by_path = site in (machine.environment.get("PYTHONPATH") or "").replace(";", ":").split(":")
    because = "PYTHONPATH names its folder" if by_path else "the packages of the user come first"
    return Problem(
        f"Python imports torch {first or '(no version)'} from {site}, because {because}; "
        f"torch {second or '(no version)'} in {hidden.rpartition('/')[0]} is hidden by it.",
        fix=_fixes(machine, by_path),
        severity="error" if first and second and first != second else None,
    )


def _inside(path: str, prefix: str) -> bool:
    return path.startswith(prefix.rstrip("/") + "/")


def _fixes(machine: Machine, by_path: bool) -> tuple[str, ...]:
    if machine.os == "windows":
        return ("Remove-Item Env:PYTHONPATH",)
    if by_path:
        return ("unset PYTHONPATH",)
    # pip takes away the one that Python finds first
    return "export PYTHONNOUSERSITE=1", commands.uninstall(machine, "torch")


RULE = Rule("AD309", "two-torches", "warning", "another torch hides the one of the environment", check)
