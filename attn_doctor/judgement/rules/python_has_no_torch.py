"""AD311 python-has-no-torch

Each torch is published for a range of Pythons. What the installed torch says itself (Requires-Python in its metadata)
counts here, not a list of ours: a torch newer than our tables is judged right. Where torch is not installed, our
tables say whether a torch was published for this Python; a Python newer than all of them is not judged.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules.wheel_for_another_python import loads
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.requirements import satisfies
from attn_doctor.knowledge.versions import numbers
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, python: Python, torch: TorchDist | None) -> Problem | None:
    if torch is None:
        return _never_published(machine, python)
    wanted = torch.requires_python
    package = machine.packages.get("torch")
    if not wanted or (package and not loads(package, python)):  # then its files say more
        return None
    # without a patch level the minor alone is compared
    if satisfies(python.version, wanted) or satisfies(python.version + ".99", wanted):
        return None
    return Problem(
        f"torch {torch.version} requires Python {wanted} by its own metadata; this is {python.version}.",
        fix=_another_python(machine),
    )


def _never_published(machine: Machine, python: Python) -> Problem | None:
    tags = {tag for build in torch_builds.builds(machine.os, machine.arch) for tag in build.python_tags or ()}
    if not tags or python.tag in tags or _key(python.tag) > max(_key(tag) for tag in tags):
        return None
    name = f"Python {python.version}{' (free-threaded)' if python.free_threaded else ''}"
    return Problem(
        f"no torch from {torch_builds.oldest()} on was published for {name} on {machine.os} {machine.arch}.",
        fix=_another_python(machine),
        severity="warning",
    )


def _another_python(machine: Machine) -> tuple[str, ...]:
    """A new environment with a Python that the newest torch takes, one that is not the newest Python."""
    builds = torch_builds.builds(machine.os, machine.arch)
    plain = [tag for tag in (builds[0].python_tags or ()) if not tag.endswith("t")] if builds else []
    if not plain:
        return ()
    middle = sorted(plain, key=_key)[len(plain) // 2]
    return (f"uv venv --seed --python 3.{middle.removeprefix('cp3')} .venv",)


def _key(tag: str) -> tuple[int, ...]:
    """'cp313t' -> (3, 13)."""
    return numbers(f"{tag[2:3]}.{tag[3:].removesuffix('t')}")


RULE = Rule("AD311", "python-has-no-torch", "error", "torch is not made for this Python", check)
