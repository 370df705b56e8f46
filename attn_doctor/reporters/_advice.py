"""What a report comes to, in sentences: the same words in every format that people read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.reporters import _policy

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.judgement.view import Machine

WORDS = {"error": "error", "warning": "warning", "info": "note"}


def conclusion(report: Report, machine: Machine) -> str:
    """What to use, or what stands in the way of everything."""
    errors = sum(finding.severity == "error" and not _policy.is_breach(finding) for finding in report.findings)
    said = until_mended(report, machine, errors) if errors else use(report)
    unkept = _policy.outcome(report)
    return f"{said} {unkept}" if unkept else said


def until_mended(report: Report, machine: Machine, errors: int) -> str:
    """What still runs while there are errors."""
    count = f"{errors} error{'s' if errors > 1 else ''}."
    usable = report.recommendation.use_now
    mended = "it is" if errors == 1 else "they are"
    if usable is None and machine.torch_fault:
        return f"{count} Nothing runs until torch can be imported."
    if usable is None and not all(machine.lacks_code(gpu) for gpu in machine.nvidia):
        return f"{count} Until {mended} mended not every GPU can be used."
    if usable is None:
        return f"{count} Nothing runs on the GPU until {mended} mended."
    if machine.device == "cpu" and machine.all_gpus:
        return f"{count} Until {mended} mended everything runs on the CPU, best with {usable}."
    return f"{count} Until {mended} mended, use {usable}."


def use(report: Report) -> str:
    """What is best of what is ready, and why."""
    advice = report.recommendation
    if not advice.use_now:
        return "No backend is ready yet."
    why = f": {advice.why[0]}" if advice.why and advice.why[0] else ""
    return f"Use {advice.use_now}{why}."


def besides(report: Report) -> Iterator[str]:
    """What else there is to know of the recommendation."""
    yield from (f"{reason}." for reason in report.recommendation.why[1:] if "CUDA_VISIBLE_DEVICES" in reason)


def is_new(report: Report) -> bool:
    """Whether the next step is a command that no finding has shown."""
    shown = {command for finding in report.findings for command in finding.fix}
    return bool(report.recommendation.next_step) and report.recommendation.next_step not in shown


def counted(report: Report) -> str:
    """'1 error, 2 warnings, 1 of them ignored', or 'no findings'."""
    numbers = dict.fromkeys(WORDS, 0)
    for finding in report.findings:
        numbers[finding.severity] += 1
    said = [f"{number} {WORDS[name]}{'s' if number > 1 else ''}" for name, number in numbers.items() if number]
    ignored = sum(finding.ignored for finding in report.findings)
    if ignored:
        said.append("all ignored" if ignored == len(report.findings) else f"{ignored} of them ignored")
    return ", ".join(said) or "no findings"
