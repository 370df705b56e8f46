"""What a project's own files have to name, so that their resolver arrives where the plan does and stays there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from attn_doctor.judgement import commands
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.extras import with_extra
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.knowledge.versions import local, public
from attn_doctor.plan.plan import Plan

TORCH_FAMILY = ("torch", *commands.COMPANIONS)
TRITON = ("triton", "triton-windows", "pytorch-triton")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One package. With neither version nor URL any release serves."""

    name: str
    version: str | None = None
    extra: str | None = None
    url: str | None = None
    sha256: str | None = None
    by_torch: bool = False
    """From the index that torch comes from, where it has one of its own."""


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """Packages, and the index that torch comes from. `nowhere`: a torch that no index has."""

    entries: tuple[Entry, ...]
    variant: str | None = None
    index_url: str | None = None
    """None where torch is the package index's own build."""
    pip_index_url: str | None = None
    """The same for pip, which takes an installed 2.7.1+cu118 for 2.7.1: another build of one release is named."""
    nowhere: str | None = None

    @property
    def index(self) -> str:
        """What the index is called: pytorch-cu128."""
        return f"pytorch-{self.variant}"

    @property
    def torch(self) -> Project:
        """The same with torch and its companions alone."""
        return msgspec.structs.replace(self, entries=tuple(one for one in self.entries if one.name in TORCH_FAMILY))


def of(machine: Machine, one: Plan) -> Project:
    """Torch first: left out, it would be moved away from under the file that was built for it."""
    build, nowhere = _torch(machine, one)
    if build is None:
        return Project(entries=tuple(_packages(machine, one, None)), nowhere=nowhere)
    index_url = None if build.on_pypi else build.index_url
    moved = next((change for change in one.changes if change.package == "torch"), None)
    same_release = moved is not None and public(moved.before or "") == build.torch
    return Project(
        entries=(*_family(machine, build), *_packages(machine, one, build)),
        variant=build.variant,
        index_url=index_url,
        pip_index_url=build.index_url if same_release else index_url,
    )


def _torch(machine: Machine, one: Plan) -> tuple[Build | None, str | None]:
    """The build that is there once the plan is carried out; or its version, where no index has it."""
    moved = next((change.after for change in one.changes if change.package == "torch" and change.after), None)
    if moved:
        listed = torch_builds.builds(machine.os, machine.arch)
        wanted = public(moved), local(moved)
        build = next((build for build in listed if (build.torch, build.variant) == wanted), None)
        return build, None if build else moved
    if machine.torch is None:
        return None, None
    installed = commands.installed_build(machine) if machine.torch.installer != "conda" else None
    return installed, None if installed else machine.torch.version


def _family(machine: Machine, build: Build) -> Iterator[Entry]:
    pins = torch_builds.pins(build.torch)
    yield Entry(name="torch", version=build.torch, by_torch=True)
    for name in commands.COMPANIONS:
        if name in machine.packages:
            yield Entry(name=name, version=getattr(pins, name, None), by_torch=True)


def _packages(machine: Machine, one: Plan, build: Build | None) -> Iterator[Entry]:
    """What the plan is for, last; before it what it brings anew because torch moves."""
    for change in one.changes:
        brought = change.after is not None and change.after[:1].isdigit()
        with_torch = change.package in TORCH_FAMILY or (change.package in TRITON and machine.os == "linux")
        if brought and not with_torch and change.package != one.package:
            yield _by_its_step(one, change.package, change.after)
    if one.package in (None, "torch"):
        return
    cuda = build.cuda if build else commands.cuda_of_torch(machine)
    extra = with_extra(one.package or "", one.version, cuda).partition("[")[2].rstrip("]")
    file = one.wheel
    if file and file.url:
        yield Entry(name=one.package or "", url=file.url, sha256=file.sha256)
    else:
        yield Entry(name=one.package or "", version=one.version, extra=extra or None)


def _by_its_step(one: Plan, package: str, version: str | None) -> Entry:
    """A package that comes anew: by the address in the step that brings it, else by its version."""
    stem = package.replace("-", "_")
    for step in one.steps:
        for word in step.command:
            found = re.search(r"(https://[^\s#]+?/" + re.escape(stem) + r"-[^\s#/]+\.whl)(?:#sha256=(\w+))?", word)
            if found:
                return Entry(name=package, url=found[1], sha256=found[2])
    return Entry(name=package, version=version)
