"""From facts and a request to one plan, with the other ways beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from attn_doctor.errors import UsageError
from attn_doctor.judgement import target as closing
from attn_doctor.judgement import torch_choice, xformers_beside
from attn_doctor.judgement.backend import backends
from attn_doctor.judgement.backend import judge as judge_backend
from attn_doctor.judgement.check import check
from attn_doctor.judgement.need import Need
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import public
from attn_doctor.machine import whatif
from attn_doctor.machine.gather import Facts
from attn_doctor.plan import of_conda, one_folder, refused, room, steps, words
from attn_doctor.plan.plan import METHODS, Plan
from attn_doctor.plan.request import AUTO, Case, Request
from attn_doctor.plan.way import Way, ways
from attn_doctor.wheels import catalogue

ASKABLE = (AUTO, *METHODS[1:])
DEFAULT = "flash_attention_2"
# what says that a build cannot be done, or that nothing can be installed
IN_THE_WAY = ("AD2", "AD115", "AD311", "AD313", "AD317")


def plan(facts: Facts, name: str | None, request: Request, need: Need) -> Plan:
    """The best way to a backend; without a name to the one that `check` recommends."""
    if request.method not in ASKABLE:
        raise UsageError(f"--method {request.method}: expected {', '.join(ASKABLE[:-1])} or {ASKABLE[-1]}")
    allowed = request.asked.allowed
    machine = Machine(facts, allowed)
    chosen = name or check(facts, need, allowed=allowed).recommendation.best or DEFAULT
    case = Case(machine, backends()[chosen], request, need)
    found = nothing_to_do(case) or best_of(case, need)
    return replace(
        found,
        alternatives=tuple(described(machine, one) for one in found.alternatives),
        **about(machine, found),
    )


def head(facts: Facts, name: str, request: Request, need: Need) -> Plan | None:
    """The plan that `plan` puts first, without the others beside it; None where none can be carried out."""
    machine = Machine(facts, request.asked.allowed)
    case = Case(machine, backends()[name], request, need)
    if found := nothing_to_do(case):
        return replace(found, **about(machine, found))
    first = next((one for _, one in listed(case, need, alone=True) if one.possible), None)
    return replace(first, **about(machine, first)) if first else None


def described(machine: Machine, one: Plan) -> Plan:
    """The plan with what it is for."""
    return replace(one, **about(machine, one))


def about(machine: Machine, one: Plan) -> dict[str, Any]:
    """What a plan says of itself, whatever its way."""
    installs = bool(one.steps) and one.method != "docker" and bool(steps.of_target(machine))
    unkept = installs and steps.kept(machine) is None
    warned = ("this Python holds more than packages: nothing of it is kept aside",) if unkept else ()
    return {
        "warnings": (
            *one.warnings,
            *room.scarce(machine, one),
            *of_conda.replaced(machine, one),
            *_xformers(machine, one),
            *warned,
        ),
        "target": target(after_it(machine, one) if one.steps else machine),
        "os": machine.os,
        "folder": steps.folder(machine) if one.steps else None,
        "words": words.of(machine, one),
        "catalogue": catalogue.as_of(),
        "rests_on": steps.digest(machine),
    }


def _xformers(machine: Machine, one: Plan) -> Iterator[str]:
    """That xFormers could no longer be imported beside the flash-attn that comes."""
    if "xformers" not in machine.packages or not one.steps or xformers_beside.refused(machine):
        return
    after = after_it(machine, one)
    if why := xformers_beside.refused(after):
        way_out = f"; {xformers_beside.UNCHECKED}=1 has it take any" if xformers_beside.TWO in after.packages else ""
        yield f"afterwards xformers {after.packages['xformers'].version} cannot be imported: it {why}{way_out}"


def target(machine: Machine) -> str:
    """'torch 2.8.0+cu128 · cp312 · linux x86_64 · GPU 8.6'."""
    said = [
        f"torch {machine.torch.version}" if machine.torch else "no torch",
        f"CUDA {machine.torch.cuda}" if machine.torch and machine.torch.cuda else "",
        machine.python.tag if machine.python else "",
        f"{machine.os} {machine.arch}",
        f"GPU {', '.join(machine.capabilities) or ', '.join(gpu.name for gpu in machine.gpus)}" if machine.gpus else "",
    ]
    return " · ".join(part for part in said if part)


def nothing_to_do(case: Case) -> Plan | None:
    """Where the backend is ready, and no other version is asked for."""
    asked = case.request.asked.version
    have = case.verdict.version
    if case.verdict.status != "ready" or (asked is not None and public(have or "") != asked):
        return None
    return Plan(
        backend=case.backend.name,
        method="none",
        package=case.backend.package or "torch",
        version=have,
        title=f"{case.backend.name} is ready",
        why=case.verdict.reasons,
        warnings=idle(case.machine),
    )


def idle(machine: Machine) -> tuple[str, ...]:
    """A GPU that the installed torch cannot use, and the torch that could."""
    if not machine.nvidia or machine.torch is None or machine.torch.cuda is not None:
        return ()
    move = torch_choice.best(machine)
    if move is None:
        return ()
    return (f"the GPU lies idle beside torch {machine.torch.version}: {torch_choice.label(move)} uses it",)


def best_of(case: Case, need: Need) -> Plan:
    """The first way that can be carried out, else the nearest with what is in the way."""
    judged = list(listed(case, need))
    wished = [one for way, one in judged if heads(way, case.request)]
    head = next((one for one in wished if one.possible), None) or next(iter(wished), None) or refused.no_way(case)
    # what can be done comes first, and staying last
    others = sorted((one for _, one in judged if one is not head), key=lambda one: (not one.steps, not one.possible))
    return replace(
        _with_the_policy(case, head), alternatives=tuple(others), blocked_by=() if head.possible else blocking(case)
    )


def _with_the_policy(case: Case, one: Plan) -> Plan:
    """Where the policy keeps the nearer file away, the plan says so."""
    said = tuple(refused.by_policy(case))
    if one.possible:
        return replace(one, why=(*one.why, *said[:1]))
    return replace(one, obstacles=tuple(dict.fromkeys((*said, *one.obstacles))))


def heads(way: Way, request: Request) -> bool:
    """Whether a plan of that way may be the answer."""
    return way.alone if request.method == AUTO else way.method == request.method


def listed(case: Case, need: Need, *, alone: bool = False) -> Iterator[tuple[Way, Plan]]:
    """Every plan of every way, each with what would still be in the way once it is done.

    `alone`: only of the ways that may be the answer.
    """
    for way in ways():
        if case.verdict.status == "unsupported" and way.method != "none":
            continue
        if alone and not heads(way, case.request):
            continue
        for one in way.plans(case):
            yield way, foreseen(case, one, need)


def foreseen(case: Case, one: Plan, need: Need) -> Plan:
    """The plan, judged by the machine as it would then be: what does not become ready is no way there."""
    if one.method in ("none", "docker") or not one.possible:
        return one
    if held := (*refused.held(case), *one_folder.not_allowed(case.machine, one), *room.lacking(case.machine, one)):
        return replace(one, possible=False, obstacles=(*one.obstacles, *held))
    if one.method == "hub":
        return one
    verdict = judge_backend(case.backend, after_it(case.machine, one), need)
    if verdict.status == "ready":
        return one
    return replace(one, possible=False, obstacles=(*one.obstacles, *verdict.reasons))


def after_it(machine: Machine, one: Plan) -> Machine:
    """The machine once the plan is carried out."""
    return machine.turned_into(whatif.apply(machine.facts, list(assignments(one))))


def assignments(one: Plan) -> Iterator[str]:
    """What a plan changes, as `--what-if` says it."""
    for change in one.changes:
        if change.after is None or not change.after[:1].isdigit():
            continue
        if change.package == "torch":
            yield f"torch={change.after}"
        else:
            yield f"pkg.{change.package}={built_as(one, change.package, change.after)}"


def built_as(one: Plan, package: str, version: str) -> str:
    """The version with the build that stands in the file's name."""
    if one.wheel is None or package != one.package or "+" in version:
        return version
    stated = one.wheel.filename.split("-")[1]
    return stated if stated.startswith(f"{version}+") else version


def blocking(case: Case) -> tuple[str, ...]:
    """The findings that say more of what is in the way."""
    codes = [
        finding.code for finding in case.findings if finding.severity == "error" or finding.code.startswith(IN_THE_WAY)
    ]
    closed = closing.closed(case.machine)
    if closed and closed.code and closed.code not in codes:
        codes.append(closed.code)
    return tuple(codes)
