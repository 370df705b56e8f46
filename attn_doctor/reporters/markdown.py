"""Markdown for a pull request, an issue or the summary of a CI step: the answer, the findings, the table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from attn_doctor.judgement.view import Machine
from attn_doctor.reporters import _advice, _machine, _policy
from attn_doctor.reporters._entries import NOT_READ, REQUIRED, entries, line
from attn_doctor.reporters._lines import harmless
from attn_doctor.reporters.text import MARKS

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Model, Report
    from attn_doctor.reporters._entries import Entry

# `$` begins mathematics on GitHub; an underscore between letters is left alone, as in flash_attention_2
SPECIAL = re.compile(r"[\\`*\[\]<>|~$&@]|(?<![^\W_])_|_(?![^\W_])")
BEGINS_A_BLOCK = re.compile(r"^([#+=-]|\d{1,9}(?=[.)](?:\s|$)))")
Row = Sequence[str]


def render(report: Report, *, verbose: bool, elapsed_s: float | None, plain: bool) -> str:  # noqa: ARG001 - the same on every machine and day
    """The whole report as one piece of a page, its headings from the second level on."""
    machine = Machine(report.facts)
    return (
        "\n\n".join((*_answer(report, machine), *_findings(report, verbose), *_tables(report, machine, verbose))) + "\n"
    )


def _answer(report: Report, machine: Machine) -> Iterator[str]:
    yield f"## attn-doctor: {_advice.counted(report)}"
    yield f"**{prose(_advice.conclusion(report, machine))}**"
    yield from (prose(reason) for reason in _advice.besides(report))
    if _advice.is_new(report):
        yield f"For {code(report.recommendation.best or 'that')}:"
        yield block((report.recommendation.next_step or "",))


def _findings(report: Report, verbose: bool) -> Iterator[str]:
    for entry in entries(report):
        yield f"### {_heading(entry)}"
        yield "  \n".join(prose(one) for one in entry.detail.split("\n"))
        if entry.location:
            yield f"At {code(f'{entry.location.file}:{entry.location.line}')}"
        if verbose and entry.evidence:
            yield "\n".join(f"- seen: {code(one)}" for one in entry.evidence)
        if entry.fix:
            yield block(entry.fix)


def _heading(entry: Entry) -> str:
    if entry.code in (REQUIRED, NOT_READ):
        return prose(entry.title)
    ignored = ", ignored" if entry.ignored else ""
    return f"{entry.code} {entry.severity}{ignored}: {prose(entry.title)}"


def _tables(report: Report, machine: Machine, verbose: bool) -> Iterator[str]:
    yield "### Backends"
    rows = [
        (MARKS[one.status], code(one.name), one.status, _cell(one.reasons if verbose else one.reasons[:1]))
        for one in report.backends
    ]
    yield table(("", "backend", "status", "why"), rows)
    if report.model:
        yield from _model(report.model)
    yield "### Machine"
    yield table(("", ""), [(prose(label), _cell((text,))) for label, text in rows_of(report, machine, verbose)])
    if verbose and report.skipped:
        yield "### Not judged"
        yield table(("finding", "why"), [(one.code, _cell((one.reason,))) for one in report.skipped])
    for hint in report.hints if verbose else ():
        yield f"{prose(hint.name.replace('_', ' '))}: {prose(hint.text)}"
        yield block(hint.snippet.split("\n"))


def _model(model: Model) -> Iterator[str]:
    from attn_doctor.reporters import _model as section  # only with --model

    yield "### Model"
    yield "  \n".join(prose(one) for one in section.above(model))
    if model.fix:
        yield block(model.fix)
    if listed := [(row.mark, code(row.name), row.state, _cell((row.text,))) for row in section.rows(model)]:
        yield table(("", "implementation", "", "why"), listed)
    if said := [f"- {prose(one)}" for one in section.below(model)]:
        yield "\n".join(said)


def rows_of(report: Report, machine: Machine, verbose: bool) -> Iterator[tuple[str, str]]:
    """The target, the machine, the policy."""
    label, _, target = _machine.target(machine).partition("  ")
    yield label, target
    yield from _machine.rows(machine, verbose)
    if report.policy:
        yield from ((label.strip(" :"), text) for label, text in _policy.rows(report.policy, verbose))


def prose(text: str) -> str:
    """Text that reads as it is: nothing in it is taken for markup."""
    escaped = SPECIAL.sub(lambda found: "&#64;" if found[0] == "@" else f"\\{found[0]}", line(text))
    return BEGINS_A_BLOCK.sub(lambda found: f"{found[1]}\\" if found[1].isdigit() else f"\\{found[1]}", escaped)


def code(text: str) -> str:
    """A code span; its fence is longer than any in the text."""
    text = line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    padded = f" {text} " if text.startswith(("`", " ")) or text.endswith(("`", " ")) else text
    return f"{fence}{padded}{fence}"


def block(lines: Iterable[str]) -> str:
    """Commands or code, to be copied."""
    shown = [harmless(" ".join(one.split("\n"))).rstrip() for one in lines]  # code keeps its indentation
    longest = max((len(run) for one in shown for run in re.findall("`+", one)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((f"{fence}sh", *shown, fence))


def _cell(lines: Iterable[str]) -> str:
    return "<br>".join(prose(one) for one in lines)


def table(headings: Row, rows: Sequence[Row]) -> str:
    """Columns stay columns whatever stands in them."""
    lines = (headings, tuple("---" for _ in headings), *rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
