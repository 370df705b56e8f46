"""From facts to the smallest plan that mends what is broken in an environment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from attn_doctor.judgement import need as needs
from attn_doctor.judgement import target as closing
from attn_doctor.judgement import wheel_choice
from attn_doctor.judgement.allowed import Allowed
from attn_doctor.judgement.backend import backends
from attn_doctor.judgement.report import Finding, Report
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.gather import Facts
from attn_doctor.plan import choose, one_folder, refused, room, steps
from attn_doctor.plan.mends import _anew, _course, _parts
from attn_doctor.plan.mends._attention import broken
from attn_doctor.plan.mends._course import OF_THE_ENVIRONMENT, SDPA
from attn_doctor.plan.mends._mend import Ailing, excused
from attn_doctor.plan.plan import Change, Cost, Plan
from attn_doctor.plan.request import Case, Request

GONE = "AD319"
BY_PYTHON = "AD312"
WHOLE = 3  # compiled packages for another Python: from so many on it is the environment that is wrong
TORCH_BACK = "torch_moved_away"


def plan(facts: Facts, allowed: Allowed | None = None) -> Plan:
    """The smallest mend, with what could be done instead; method "none" where nothing is broken.

    `allowed`: whose wheels may be fetched for it.
    """
    machine = Machine(facts, allowed)
    report = _course.judged(machine)
    if not _course.ailments(machine, report):
        return _described(machine, _nothing(report))
    held = tuple(_held(machine))
    found = [_held_to(machine, one, held) for one in _courses(machine, report)]
    head = next((one for one in found if one.possible), None) or next(iter(found), None) or _no_way(machine, report)
    others = tuple(_described(machine, one) for one in found if one is not head)
    return replace(_described(machine, head), alternatives=others)


def _courses(machine: Machine, report: Report) -> Iterator[Plan]:
    """Each course once, the best first."""
    whole = len(_by_python(machine, report)) >= WHOLE
    fresh = _new_environment(machine, report)
    ways = [
        _of(machine, report, _course.treated(machine)),
        _of(machine, report, _course.treated(machine, (TORCH_BACK,))),
        _of(machine, report, _course.treated(machine, plain=True), "back to plain sdpa"),
    ]
    ordered = [fresh, *ways] if whole else [*ways, fresh]
    seen: set[tuple[tuple[str, ...], ...]] = set()
    for one in ordered:
        key = tuple(step.command for step in one.steps) if one else ()
        if one is not None and key and key not in seen:
            seen.add(key)
            yield one


def _by_python(machine: Machine, report: Report) -> tuple[str, ...]:
    """The packages that are made for another Python."""
    from attn_doctor.judgement.rules.wheel_for_another_python import loads

    if BY_PYTHON not in {finding.code for finding in report.findings} or machine.python is None:
        return ()
    return tuple(name for name, one in machine.packages.items() if not loads(one, machine.python))


def _of(machine: Machine, report: Report, course: _course.Course, title: str | None = None) -> Plan | None:
    if not course.parts:
        return None
    cured = tuple(dict.fromkeys(code for part in course.parts for code in part.cures))
    changes = tuple(change for part in course.parts for change in part.changes)
    done = [part.title for part in course.parts]
    alone = course.parts[0].keeps
    left = tuple(_course.left(report, course.report)) if alone is None else ()
    sizes = [part.cost_bytes for part in course.parts if part.cost_bytes]
    package, version = _main(changes)
    found = tuple(dict.fromkeys(code for code in _course.ailments(machine, report) if code in cured))
    return Plan(
        backend=course.report.recommendation.use_now or SDPA,
        method="wheel",
        package=package,
        version=version,
        title=f"{title or 'repair'}: {', '.join(done)}",
        possible=not left,
        obstacles=left,
        why=tuple(dict.fromkeys(part.why for part in course.parts)),
        steps=(
            *(alone if alone is not None else _anew.keep(machine)),
            *_course.numbered(machine, course.parts),
            _course.verify(machine, report, course.report, found),
        ),
        changes=changes,
        cost=Cost(download_bytes=sum(sizes) or None),
        warnings=(
            *dict.fromkeys(said for part in course.parts for said in part.warnings),
            *_course.outside(course.report),
        ),
    )


def _main(changes: Sequence[Change]) -> tuple[str | None, str | None]:
    """What the plan is about: torch where it moves, else the first package that comes."""
    brought = {change.package: change.after for change in changes if change.after and change.after[:1].isdigit()}
    first = "torch" if "torch" in brought else next(iter(brought), None)
    return first, brought.get(first) if first else None


def _new_environment(machine: Machine, report: Report) -> Plan | None:
    """The old one less the culprits, in its place."""
    if not _anew.possible(machine):
        return None
    ailing = Ailing(machine, report)
    by_python = set(_by_python(machine, report))
    culprits = tuple(sorted({name for name, _ in broken(ailing)} - by_python))
    if not all(wheel_choice.by_name(machine, name) for name in machine.packages if name not in culprits):
        return None  # everything comes back from the package index
    found = _course.ailments(machine, report)
    same_again = {"AD101", "AD103", "AD104", "AD307", "AD309", "AD311"}
    if same_again & {finding.code for finding in report.findings if finding.severity == "error"}:
        return None  # with the same torch, or the same variables, the same would be wrong again
    torch = machine.torch
    return Plan(
        backend=SDPA,
        method="wheel",
        package="torch" if torch else None,
        version=torch.version if torch else None,
        title="a new environment" + (f" without {', '.join(culprits)}" if culprits else ""),
        why=("everything in it is installed again, and the old one is kept beside it",),
        steps=(*_anew.keep(machine), *_anew.anew(machine, culprits), _course.verify(machine, report, report, found)),
        changes=_parts.gone(machine, *culprits),
        warnings=("what was installed by other means than pip and uv does not come along", *_course.outside(report)),
    )


def _held(machine: Machine) -> Iterator[str]:
    """Why nothing is changed here, and what to do instead."""
    closed = closing.closed(machine)
    if closed is not None and closed.code != GONE:
        yield closed.reason
        yield f"make an environment that is yours: {steps.python(machine)} -m venv .venv"
    case = Case(machine, backends()[SDPA], Request(), needs.parse(()))
    for said in refused.held(case):
        ours = said.startswith("torch could not be read") or (closed is not None and said == closed.reason)
        if not ours:
            yield said


def _held_to(machine: Machine, one: Plan, held: tuple[str, ...]) -> Plan:
    obstacles = (*one.obstacles, *held, *one_folder.not_allowed(machine, one), *room.lacking(machine, one))
    return replace(one, possible=not obstacles, obstacles=obstacles)


def _nothing(report: Report) -> Plan:
    machine = Machine(report.facts)
    left = [
        one
        for one in report.findings
        if one.severity == "error" and one.code.startswith(OF_THE_ENVIRONMENT) and not excused(machine, one)
    ]
    torch = machine.torch
    return Plan(
        backend=report.recommendation.use_now or SDPA,
        method="none",
        package="torch" if torch else None,
        version=torch.version if torch else None,
        title="nothing to repair" if not left else "no way",
        possible=not left,
        obstacles=tuple(_advised(finding) for finding in left),
        blocked_by=tuple(finding.code for finding in left),
        warnings=(
            *_course.outside(report),
            *(() if torch else ("torch is not installed: attn-doctor install brings one",)),
        ),
    )


def _no_way(machine: Machine, report: Report) -> Plan:
    codes = _course.ailments(machine, report)
    found = [one for one in report.findings if one.code in codes]
    return Plan(
        backend=SDPA,
        method="none",
        title="no way",
        possible=False,
        obstacles=(*(_advised(one) for one in found), *_held(machine)),
        blocked_by=tuple(one.code for one in found),
        warnings=tuple(_course.outside(report)),
    )


def _advised(finding: Finding) -> str:
    """The finding, with the command for whoever reads it."""
    advice = f" By hand: {finding.fix[0]}" if finding.fix else ""
    return f"{finding.detail}{advice}"


def _described(machine: Machine, one: Plan) -> Plan:
    """With what a plan says of itself; a project's own files are not what is mended."""
    return replace(one, **{**choose.about(machine, one), "words": ()})
