"""HTML: one page that needs nothing else, in light and dark, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attn_doctor.judgement.view import Machine
from attn_doctor.reporters import _advice, _lines
from attn_doctor.reporters._entries import NOT_READ, REQUIRED, entries, paragraph
from attn_doctor.reporters._page import page
from attn_doctor.reporters.markdown import rows_of
from attn_doctor.reporters.text import MARKS

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Model, Report
    from attn_doctor.judgement.verdict import BackendVerdict
    from attn_doctor.reporters._entries import Entry


def render(report: Report, *, verbose: bool, elapsed_s: float | None, plain: bool) -> str:  # noqa: ARG001 - the same on every machine and day
    """The whole page: no script, no font, no picture, nothing from the network."""
    machine = Machine(report.facts)
    parts = (
        *_answer(report, machine),
        *_findings(report),
        *_backends(report, verbose),
        *(_model(report.model) if report.model else ()),
        *_machine_rows(report, machine, verbose),
        *_rest(report, verbose),
    )
    return page(f"attn-doctor: {_advice.counted(report)}", "\n".join(parts), f"attn-doctor {escaped(report.version)}")


def _answer(report: Report, machine: Machine) -> Iterator[str]:
    worst = next((finding.severity for finding in report.findings if not finding.ignored), "ready")
    yield f'<section class="answer {worst}">'
    yield f"<h1>{escaped(_advice.conclusion(report, machine))}</h1>"
    if not _advice.conclusion(report, machine).startswith(f"{_advice.counted(report)}."):
        yield f"<p>{escaped(_advice.counted(report))}</p>"
    yield from (f"<p>{escaped(reason)}</p>" for reason in _advice.besides(report))
    if _advice.is_new(report):
        yield f"<p>For <code>{escaped(report.recommendation.best or '')}</code>:</p>"
        yield _command(report.recommendation.next_step or "")
    yield "</section>"


def _findings(report: Report) -> Iterator[str]:
    listed = entries(report)
    if not listed:
        return
    yield '<section aria-labelledby="findings"><h2 id="findings">Findings</h2>'
    for entry in listed:
        yield from _finding(entry)
    yield "</section>"


def _finding(entry: Entry) -> Iterator[str]:
    word = f"{entry.severity}, ignored" if entry.ignored else entry.severity
    own = "" if entry.code in (REQUIRED, NOT_READ) else f"<code>{entry.code}</code> "
    yield f'<article class="{entry.severity}{" ignored" if entry.ignored else ""}">'
    yield f'<h3>{own}<span class="word">{word}</span> {escaped(entry.title)}</h3>'
    yield f"<p>{'<br>'.join(escaped(one) for one in entry.detail.splitlines())}</p>"
    if entry.location:
        yield f"<p>At <code>{escaped(entry.location.file)}:{entry.location.line}</code></p>"
    for number, command in enumerate(entry.fix):
        yield _command(command, "or" if number else "fix")
    if entry.evidence:
        seen = "".join(f"<li>{escaped(one)}</li>" for one in entry.evidence)
        yield f"<details><summary>seen in</summary><ul>{seen}</ul></details>"
    yield "</article>"


def _command(command: str, label: str = "") -> str:
    """One to copy: it is folded for the eye and stays one line on the clipboard."""
    name = f'<span class="label">{label}</span>' if label else ""
    return f'<div class="command">{name}<pre><code>{escaped(command)}</code></pre></div>'


def _backends(report: Report, verbose: bool) -> Iterator[str]:
    yield '<section aria-labelledby="backends"><h2 id="backends">Backends</h2>'
    yield from _table(("backend", "status", "why"), [_backend(verdict, verbose) for verdict in report.backends])
    yield "</section>"


def _model(model: Model) -> Iterator[str]:
    from attn_doctor.reporters import _model as section  # only with --model

    yield '<section aria-labelledby="model"><h2 id="model">Model</h2>'
    yield from (f"<p>{escaped(one)}</p>" for one in section.above(model))
    yield from (_command(command, "fix") for command in model.fix)
    if listed := [_row(row.colour, row.name, row.mark, row.state, escaped(row.text)) for row in section.rows(model)]:
        yield from _table(("implementation", "here", "why"), listed)
    if said := "".join(f"<li>{escaped(one)}</li>" for one in section.below(model)):
        yield f"<ul>{said}</ul>"
    yield "</section>"


def _backend(verdict: BackendVerdict, verbose: bool) -> str:
    reasons = list(verdict.reasons if verbose else verdict.reasons[:1])
    if verbose:
        for kernel in verdict.kernels:
            state = "chosen" if kernel.chosen else "usable" if kernel.usable else "refused"
            reasons.append(f"{kernel.kernel}: {state}{f', {kernel.reason}' if kernel.reason else ''}")
    why = "<br>".join(map(escaped, reasons))
    return _row(verdict.status, verdict.name, MARKS[verdict.status], verdict.status, why)


def _table(headings: Sequence[str], rows: Sequence[str]) -> Iterator[str]:
    yield '<table role="table"><thead role="rowgroup"><tr role="row">'
    yield "".join(f'<th scope="col" role="columnheader">{name}</th>' for name in headings)
    yield "</tr></thead>"
    yield '<tbody role="rowgroup">'
    yield from rows
    yield "</tbody></table>"


def _row(colour: str, name: str, mark: str, state: str, why: str) -> str:
    """`why` is markup."""
    return (
        f'<tr role="row" class="{colour}">'
        f'<th scope="row" role="rowheader"><code>{escaped(name)}</code></th>'
        f'<td role="cell" class="word"><span aria-hidden="true">{mark}</span> {state}</td>'
        f'<td role="cell">{why}</td></tr>'
    )


def _machine_rows(report: Report, machine: Machine, verbose: bool) -> Iterator[str]:
    yield '<section aria-labelledby="machine"><h2 id="machine">Machine</h2><dl>'
    yield from (
        f"<dt>{escaped(label)}</dt><dd>{escaped(text)}</dd>" for label, text in rows_of(report, machine, verbose)
    )
    yield "</dl></section>"


def _rest(report: Report, verbose: bool) -> Iterator[str]:
    if not verbose:
        return
    if report.hints:
        yield '<section aria-labelledby="hints"><h2 id="hints">What helps here without FlashAttention</h2>'
        for hint in report.hints:
            yield f"<p>{escaped(hint.name.replace('_', ' '))}: {escaped(hint.text)}</p>"
            yield _command(hint.snippet)
        yield "</section>"
    if report.skipped:
        skipped = "".join(f"<li>{one.code}: {escaped(one.reason)}</li>" for one in report.skipped)
        yield f'<section aria-labelledby="skipped"><h2 id="skipped">Not judged</h2><ul>{skipped}</ul></section>'


def escaped(text: str) -> str:
    """Text that is only text, wherever in the page it stands."""
    return _lines.escaped(paragraph(text)).replace("'", "&#39;")
