"""Why nothing can be done: what the machine lacks, what the request leaves out, and the nearest files."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from attn_doctor.judgement import source_build, target, toolkit_choice, torch_choice, wheel_choice, wheel_search
from attn_doctor.knowledge import attention
from attn_doctor.plan.plan import Plan
from attn_doctor.plan.request import AUTO, Case
from attn_doctor.wheels.search import nearest

NEAREST = 2
UNREAD = ("python", "torch", "packages", "gpus", "driver")  # without these a plan would be a guess


def no_way(case: Case) -> Plan:
    """A plan of nothing, with what is in the way."""
    return Plan(
        backend=case.backend.name,
        method="none",
        package=case.backend.package or "torch",
        title="no way",
        possible=False,
        obstacles=tuple(dict.fromkeys(_reasons(case))),
    )


def _reasons(case: Case) -> Iterator[str]:
    status = case.verdict.status
    if status in ("blocked", "unsupported"):
        yield from case.verdict.reasons
    if status == "unsupported":
        return
    yield from torch_choice.held_back(case.machine)
    asked = case.request.asked
    package = case.wanted.package
    if package and asked.version is not None and asked.version not in _archives(case):
        said = wheel_search.unknown_version(package, case.backend.series, asked.version)
        yield from [said.rstrip(".")] if said else []
    if case.request.method != AUTO:
        yield f"no plan by --method {case.request.method} for {case.backend.name} here"
    if case.request.method == "source":
        yield from _no_build(case)
    elif case.filters is not None and case.request.method in (AUTO, "wheel"):
        for miss in nearest(case.filters, NEAREST):
            differs = "; ".join(one.text for one in miss.differs)
            yield f"the nearest file differs: {miss.wheel.filename}: {differs}"


def by_policy(case: Case) -> Iterator[str]:
    """Where files fit as things are and the policy allows none of them: that, and what to do."""
    package, machine = case.backend.package, case.machine
    if package is None or not wheel_choice.torch_serves(machine, None):
        return
    key = msgspec.structs.replace(wheel_choice.key(machine, None), capabilities=machine.capabilities)
    others = wheel_choice.refused(machine, package, key, case.backend.series)
    yield from (one.reason for one in wheel_choice.not_allowed(machine, others, "blocked"))


def _no_build(case: Case) -> Iterator[str]:
    package, series, machine = case.backend.package, case.backend.series, case.machine
    if package is None:
        return
    if refusal := source_build.refusal(machine, machine.capabilities, package, series):
        said = f"a source build: {refusal}"
        yield refusal if said not in case.verdict.reasons else said  # once, however it was said
        yield from _no_toolkit(case)
    elif machine.memory is None:
        yield f"how much memory is free could not be read: {machine.unknown('memory') or 'nothing was found'}"
    elif case.request.asked.version not in (None, *_archives(case)):
        yield f"attn-doctor knows no source archive of {package} {case.request.asked.version}"
    elif not wheel_choice.torch_serves(machine, None):
        yield "the torch that is installed cannot use this machine's GPU"


def _no_toolkit(case: Case) -> Iterator[str]:
    """Why none can be put beside, where a toolkit is what the build lacks."""
    machine, package = case.machine, case.backend.package or ""
    torch, compiler = machine.torch, machine.compiler
    if torch is None or torch.cuda is None:
        return
    if source_build.beside(machine, machine.capabilities, package, case.backend.series) is None:
        gcc = compiler.version if compiler and compiler.family == "gcc" else None
        said = toolkit_choice.why_none(machine, torch.cuda, machine.capabilities, gcc)
        yield from [said] if said else []


def held(case: Case) -> Iterator[str]:
    """Why nothing is installed here, whatever the way: the target is closed, or what is there is not known."""
    machine = case.machine
    if closed := target.closed(machine):
        yield closed.reason
    for name in UNREAD:
        if why := machine.unknown(name):
            yield f"{name} could not be read ({why}): nothing is installed on a guess"


def _archives(case: Case) -> tuple[str, ...]:
    """Releases that can be compiled."""
    package, series = case.backend.package, case.backend.series
    if package is None or (package, series) not in source_build.COMPILED:
        return ()
    return attention.source_build(package, series).archives
