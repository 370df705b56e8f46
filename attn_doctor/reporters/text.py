"""Text for people: 80 columns, the answer before the reasons, one next step."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from attn_doctor.judgement.view import Machine
from attn_doctor.reporters import _advice, _machine, _policy
from attn_doctor.reporters._lines import harmless

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Finding, Hint, Model, Report
    from attn_doctor.judgement.verdict import BackendVerdict

WIDTH = 80
INDENT = " " * 15
MARKS = {"ready": "+", "installable": "~", "blocked": "!", "unsupported": "-"}
STYLES = {
    "ready": "green",
    "installable": "cyan",
    "blocked": "yellow",
    "unsupported": "dim",
    "error": "bold red",
    "warning": "yellow",
    "info": "cyan",
}
Span = tuple[str, str]  # text and its style
Line = str | tuple[Span, ...]


def render(report: Report, *, verbose: bool, elapsed_s: float | None, plain: bool) -> str:
    """The whole report as one screen."""
    lines = [_harmless(line) for line in _lines(report, Machine(report.facts), verbose, elapsed_s)]
    if not plain and _colour():
        return _coloured(lines)
    return "".join(f"{_bare(line)}\n" for line in lines)


def _harmless(line: Line) -> Line:
    """Facts come from files and drivers: nothing in them may steer the terminal."""
    if isinstance(line, str):
        return harmless(line)
    return tuple((str(_harmless(text)), style) for text, style in line)


def _bare(line: Line) -> str:
    return (line if isinstance(line, str) else "".join(text for text, _ in line)).rstrip()


def _colour() -> bool:
    terminal = sys.stdout is not None and sys.stdout.isatty()  # None: it is closed
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _coloured(lines: Sequence[Line]) -> str:
    """The same lines through rich, which is imported only where its colours can be seen."""
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    buffer = StringIO()
    console = Console(file=buffer, width=WIDTH, force_terminal=True, highlight=False, emoji=False)
    for line in lines:
        text = Text(line) if isinstance(line, str) else Text.assemble(*line)
        # commands are printed whole: a wrapped one cannot be copied
        console.print(text, soft_wrap=True)
    return buffer.getvalue()


def _lines(report: Report, machine: Machine, verbose: bool, elapsed_s: float | None) -> Iterator[Line]:
    yield from _heading(machine, elapsed_s)
    errors = [finding for finding in report.findings if finding.severity == "error"]
    for finding in errors:
        yield from _finding(finding, verbose)
        yield ""
    for label, text in _machine.rows(machine, verbose):
        yield from _hanging(f"{label:<8} ", text)
    for label, text in _policy.rows(report.policy, verbose) if report.policy else ():
        yield from _hanging(label, text)
    yield ""
    for verdict in report.backends:
        yield from _backend(verdict, verbose)
    yield ""
    if report.model:
        yield from _model(report.model)
    for finding in report.findings:
        if finding.severity != "error":
            yield from _finding(finding, verbose)
            yield ""
    yield from _not_judged(report, verbose)
    yield from _conclusion(report, machine, errors)
    yield from _hints(report.hints if verbose else ())


def _not_judged(report: Report, verbose: bool) -> Iterator[Line]:
    for reason in report.unreadable:
        yield from _hanging("not read   ", reason, "yellow")
    for skipped in report.skipped if verbose else ():
        yield from _hanging(f"{skipped.code} skipped  ", skipped.reason, "dim", "dim")
    if report.unreadable or (verbose and report.skipped):
        yield ""


def _conclusion(report: Report, machine: Machine, errors: Sequence[Finding]) -> Iterator[Line]:
    """What to use by the machine's own health, then what is demanded and not met."""
    broken = [finding for finding in errors if not _policy.is_breach(finding)]
    yield from _outcome(report, machine, broken) if broken else _recommendation(report)
    yield from _unmet(report)
    if unkept := _policy.outcome(report):
        yield from _hanging("", unkept, "", "bold red")


def _model(model: Model) -> Iterator[Line]:
    from attn_doctor.reporters import _model as section  # only with --model

    for number, text in enumerate(section.above(model)):
        yield from _hanging(" " * 9 if number else "model    ", text)
    yield from _commands(model.fix, 9)
    for row in section.rows(model):
        label = f"{row.mark} {row.name:<18} {row.state:<12} "
        yield from _hanging(label, row.text, STYLES[row.colour], "dim" if row.colour == "unsupported" else "")
    for text in section.below(model):
        yield from _hanging(" " * 9, text)
    yield ""


def _hints(hints: Sequence[Hint]) -> Iterator[Line]:
    if hints:
        yield ""
        yield (("Helps here without FlashAttention:", "bold"),)
    for hint in hints:
        yield from _hanging("  ", f"{hint.name.replace('_', ' ')}: {hint.text}")
        for line in hint.snippet.splitlines():
            yield ("      ", ""), (line, "green")


def _heading(machine: Machine, elapsed_s: float | None) -> Iterator[Line]:
    left = _machine.target(machine)
    right = f"{elapsed_s:.1f} s" if elapsed_s is not None else ""
    yield (left, "bold"), (" " * max(2, WIDTH - len(left) - len(right)), ""), (right, "dim")
    yield ""


def _hanging(label: str, text: str, style: str = "", rest: str = "") -> Iterator[Line]:
    """A label and a paragraph that hangs under its own first word."""
    folded = _folded(text, len(label))
    yield (label, style), (folded[0], rest)
    for line in folded[1:]:
        yield (" " * len(label), ""), (line, rest)


def _folded(text: str, indent: int) -> list[str]:
    return wrap(text, WIDTH - indent, break_long_words=False, break_on_hyphens=False) or [""]


def _backend(verdict: BackendVerdict, verbose: bool) -> Iterator[Line]:
    label = f"{MARKS[verdict.status]} {verdict.name:<18} {verdict.status:<12} "
    style = STYLES[verdict.status]
    rest = style if verdict.status == "unsupported" else ""
    several = len(verdict.reasons) > 1 and verdict.reasons[0].startswith("GPU ")  # one reason a kind of GPU
    reasons = verdict.reasons if verbose or several else verdict.reasons[:1]
    yield from _hanging(label, reasons[0] if reasons else "", style, rest)
    for reason in reasons[1:]:
        yield from _hanging(" " * len(label), reason, "", rest)
    if verbose:
        for kernel in verdict.kernels:
            state = "chosen" if kernel.chosen else "usable" if kernel.usable else "refused"
            yield from _hanging(f"    {kernel.kernel:<15} {state:<8} ", kernel.reason or "", "dim", "dim")


def _finding(finding: Finding, verbose: bool) -> Iterator[Line]:
    severity = f"{finding.severity}, ignored" if finding.ignored else finding.severity
    label = f"{finding.code} {severity:<8} "
    yield (label, STYLES[finding.severity]), (finding.title, "bold" if finding.severity == "error" else "")
    for line in _folded(finding.detail, len(INDENT)):
        yield INDENT + line
    if verbose:
        for evidence in finding.evidence:
            yield from _hanging(f"{INDENT}seen: ", evidence, "dim", "dim")
    yield from _commands(finding.fix)


def _commands(fix: Sequence[str], indent: int = len(INDENT)) -> Iterator[Line]:
    for number, command in enumerate(fix):
        yield (f"{'  or' if number else '  fix':<{indent}}", "green"), (command, "")


def _outcome(report: Report, machine: Machine, errors: Sequence[Finding]) -> Iterator[Line]:
    yield from _hanging("", _advice.until_mended(report, machine, len(errors)), "", "bold")
    if report.recommendation.next_step:
        yield "Next:"
        yield f"  {report.recommendation.next_step}"


def _unmet(report: Report) -> Iterator[Line]:
    for verdict in report.backends:
        if report.required.get(verdict.name) is False:
            yield ((f"Required and not ready: {verdict.name} is {verdict.status}.", "bold red"),)


def _recommendation(report: Report) -> Iterator[Line]:
    advice = report.recommendation
    yield from _hanging("", _advice.use(report), "", "bold")
    for reason in _advice.besides(report):
        yield from _hanging("", reason)
    if _advice.is_new(report):
        yield f"For {advice.best}:  attn-doctor install {advice.best} --dry-run"
        yield f"  {advice.next_step}"
