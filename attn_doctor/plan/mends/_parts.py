"""What several mends are made of."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from msgspec.structs import replace

from attn_doctor.judgement import commands, wheel_choice
from attn_doctor.judgement import need as needs
from attn_doctor.judgement.backend import backends
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.knowledge.versions import local, public
from attn_doctor.plan import files, steps
from attn_doctor.plan.mends._mend import Ailing
from attn_doctor.plan.plan import Change, Step
from attn_doctor.plan.request import Case, Request
from attn_doctor.plan.ways import another_torch

REMOVE = """\
import os, shutil, sys
for path in sys.argv[1:]:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)"""


def case(ailing: Ailing) -> Case:
    """The same machine as the ways to a backend see it."""
    return Case(ailing.machine, backends()["sdpa"], Request(), needs.parse(()))


def by_command(machine: Machine, command: str, title: str, step: str = "install") -> Step:
    """The very command that the finding names; a wheel that a cache holds may be what went wrong."""
    words = tuple(shlex.split(command))
    return fresh(machine, Step(id=step, title=title, kind="install", command=words))


def fresh(machine: Machine, step: Step) -> Step:
    """The same without what the installer's cache holds: there a wheel may lie that was built for another torch."""
    words = step.command
    verb = next((place for place, word in enumerate(words) if word in ("install", "download")), None)
    if verb is None or step.kind not in ("install", "fetch"):
        return step
    option = "--no-cache" if steps.uses_uv(machine) else "--no-cache-dir"
    return replace(step, command=(*words[: verb + 1], option, *words[verb + 1 :]))


def because(wanted: Sequence[Step], why: str) -> tuple[Step, ...]:
    """The steps that install, each with the reason."""
    return tuple(replace(step, title=f"{step.title}: {why}") if step.kind == "install" else step for step in wanted)


def remove(machine: Machine, paths: Sequence[str], title: str) -> Step:
    """Delete files and folders of the environment; the copy that is kept has them."""
    command = ("rm", "-rf", *paths)
    if machine.os == "windows":
        command = (steps.python(machine), "-c", steps.program(machine, REMOVE), *paths)
    return Step(id="remove", title=title, kind="run", command=command)


def uninstall(machine: Machine, *names: str, why: str) -> Step:
    """Take packages away, by their own records."""
    command = tuple(shlex.split(commands.uninstall(machine, *names)))
    return Step(id="uninstall", title=f"take {' and '.join(names)} away: {why}", kind="run", command=command)


def gone(machine: Machine, *names: str) -> tuple[Change, ...]:
    """The same as changes."""
    return tuple(Change(name, version(machine, name), None) for name in names)


def version(machine: Machine, name: str) -> str | None:
    """Of an installed package."""
    return machine.packages[name].version if name in machine.packages else None


def torch_by_name(machine: Machine, stated: str) -> Build | None:
    """The published build that a version means: '2.8.0+cu128', or '2.8.0' for the package index's own."""
    for build in torch_builds.builds(machine.os, machine.arch):
        own = build.variant == local(stated) if local(stated) else build.on_pypi
        if build.torch == public(stated) and own:
            return build
    return None


def torch_of_command(machine: Machine, command: str) -> Build | None:
    """The torch that a command of a finding brings."""
    named = re.search(r"\btorch==([\w.+]+)", command)
    index = re.search(r"--(?:default-index|index-url) \S+/(\w+)$", command)
    stated = named[1] if named else ""
    if named and index and "+" not in stated:
        stated += f"+{index[1]}"
    return torch_by_name(machine, stated) if stated else None


def torch_again(machine: Machine, build: Build) -> str:
    """The command that writes that torch's files anew and nothing else's."""
    at = None if build.on_pypi else build.index_url
    return commands.reinstall(machine, "torch", build.torch if at is None else f"{build.torch}+{build.variant}", at)


def torch_moved(ailing: Ailing, build: Build, why: str) -> tuple[tuple[Step, ...], tuple[Change, ...]]:
    """Another torch, what belongs to it, and the files of compiled packages that have to come anew beside it."""
    machine = ailing.machine
    moved = wheel_choice.after_moving_to(build, wheel_choice.key(machine, next(iter(machine.nvidia), None)))
    others = wheel_choice.carried(machine, moved, None) or ()
    brought = tuple(
        step for other in others for step in another_torch.renamed(files.bring(machine, other, build), other.package)
    )
    changes = (
        *another_torch.torch_changes(case(ailing), build),
        *files.changes(machine, *((other.package, other.version) for other in others)),
    )
    return because((*steps.torch(machine, build), *brought), why), changes
