"""What is done, one part after the other, what comes of it, and how that is looked at in the end."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from attn_doctor.judgement import need as needs
from attn_doctor.judgement.check import check
from attn_doctor.judgement.report import Report
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.gather import Facts
from attn_doctor.plan import steps
from attn_doctor.plan.mends._ahead import after
from attn_doctor.plan.mends._mend import UNREAD_TORCH, Ailing, Part, excused, mends
from attn_doctor.plan.plan import Step

SDPA = "sdpa"
OF_THE_ENVIRONMENT = ("AD3", "AD4")  # the other findings speak of the machine


class Course(msgspec.Struct, frozen=True):
    """What is done, and the facts that come of it."""

    parts: tuple[Part, ...]
    facts: Facts
    report: Report


def judged(machine: Machine) -> Report:
    """As `check` judges."""
    return check(machine.facts, needs.parse(()), allowed=machine.allowed)


def ailments(machine: Machine, report: Report) -> tuple[str, ...]:
    """The codes of what is broken and could be mended."""
    ailing = Ailing(machine, report)
    return tuple(sorted({code for mend in mends() for code in ailing.codes(mend)}))


def treated(machine: Machine, skip: Collection[str] = (), *, plain: bool = False) -> Course:
    """Cause before effect: after each part the machine is judged again, as it will be."""
    found: list[Part] = []
    report = judged(machine)
    for mend in mends():
        ailing = Ailing(machine, report, plain)
        if mend.name in skip or not ailing.codes(mend):
            continue
        for part in mend.parts(ailing):
            found.append(part)
            machine = machine.turned_into(after(machine.facts, part))
            if part.keeps is not None:
                return Course(tuple(found[-1:]), machine.facts, judged(machine))
        report = judged(machine)
    return Course(tuple(found), machine.facts, report)


def numbered(machine: Machine, parts: Sequence[Part]) -> Iterator[Step]:
    """A pip first, where one is lacking and something is installed; names of steps each once."""
    wanted = [step for part in parts for step in part.steps]
    if any(step.kind == "install" for step in wanted) and not any(step.id == "pip" for step in wanted):
        wanted = [*steps.pip_first(machine), *wanted]
    seen: set[str] = set()
    for step in wanted:
        name = step.id
        while name in seen:
            name += "-again"
        seen.add(name)
        yield replace(step, id=name)


def left(before: Report, report: Report) -> Iterator[str]:
    """What would still be wrong in the environment, or newly so."""
    machine = Machine(report.facts)
    known = {(finding.code, finding.severity) for finding in before.findings}
    for finding in report.findings:
        if excused(machine, finding):
            continue
        if finding.severity == "error" and finding.code.startswith(OF_THE_ENVIRONMENT):
            yield f"{finding.code} would be left: {finding.detail}"
        elif finding.severity == "error" and (finding.code, "error") not in known:
            yield f"{finding.code} would be new: {finding.detail}"
        elif any(mend.answers(finding) for mend in mends()):
            yield f"{finding.code} would be left: {finding.title}"
    if UNREAD_TORCH in ailments(machine, report):
        yield f"torch could not be read: {machine.unknown('torch')}"


def outside(report: Report) -> Iterator[str]:
    """What is wrong with the machine, which no environment mends."""
    for finding in report.findings:
        if finding.severity == "error" and not finding.code.startswith(OF_THE_ENVIRONMENT):
            advice = f": {finding.fix[0]}" if finding.fix else ""
            yield f"{finding.code}, which is not of the environment: {finding.title}{advice}"


def verify(machine: Machine, before: Report, then: Report, cured: Sequence[str]) -> Step:
    """What was found must be gone, by the probes; what was not to be mended here counts for nothing."""
    severe = {finding.code: finding.severity for finding in before.findings}
    level = "warning" if any(severe.get(code) == "warning" for code in cured) else "error"
    counted = ("error", "warning") if level == "warning" else ("error",)
    stays = {one.code for one in (*before.findings, *then.findings) if one.severity in counted} - {*cured}
    ready = any(verdict.name == SDPA and verdict.status == "ready" for verdict in then.backends)
    command = (
        *("attn-doctor", "check", *steps.of_target(machine), "--deep", "--no-policy", "--fail-on", level),
        *(part for code in sorted(stays) for part in ("--ignore", code)),
        *(("--require", SDPA) if ready else ()),
    )
    codes = ", ".join(code for code in cured if code.startswith("AD"))
    return Step(
        id="verify",
        title=f"verify: import it, and look again for {codes or 'what was wrong'}",
        kind="verify",
        command=command,
    )
