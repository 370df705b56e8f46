"""From a log to its root cause: of all that matches, what is said most plainly, and of that what happened first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attn_doctor.explain import outcome
from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, causes, matches
from attn_doctor.explain.diagnosis import Confidence, Diagnosis, Found, Shown
from attn_doctor.explain.log import Line, Log

BEFORE, AFTER = 2, 1
MOST_CAUSES = 4
MOST_CONSEQUENCES = 6
LONGEST_TEXT = 400
MOST_WRAPPED = 3000  # lines, of which nothing was understood, that are read again two by two


class Showing:
    """A cause and everything in the log that shows it, the plainest first."""

    def __init__(self, cause: Cause, found: Sequence[Match]) -> None:
        self.cause = cause
        self.matches = found
        self.best = max(found, key=lambda match: (match.strength, -match.line.number))

    @property
    def line(self) -> int:
        return self.best.line.number


def diagnose(case: Case, name: str = "") -> Diagnosis:
    """What a log comes to."""
    log = case.log
    found = ranked(log)
    verdict, about = outcome.verdict(log, [showing.cause for showing in found])
    return Diagnosis(
        verdict=verdict,
        causes=tuple(described(showing, found, case) for showing in found[:MOST_CAUSES]),
        log=name,
        lines=log.total,
        cut=outcome.cut(log),
        ask=about,
        said=case.said,
    )


def ranked(log: Log) -> list[Showing]:
    """The causes that show in a log, the root first, then what else may be wrong; consequences are left out."""
    showing = shown_by(log)
    if not showing and len(log.lines) <= MOST_WRAPPED:
        # a joined line that sounds harmless proves nothing
        showing = [one for one in shown_by(log.unwrapped()) if not one.cause.changes_nothing]
    showing.sort(key=lambda one: (-one.best.strength, one.line))
    harmful = [one for one in showing if not one.cause.changes_nothing]
    roots = [one for one in harmful if not any(_leads(other, one) for other in harmful)]
    harmless = [one for one in showing if one.cause.changes_nothing]
    # a line that looks harmless says nothing where something plainly went wrong
    if roots and (not harmless or roots[0].best.strength >= harmless[0].best.strength):
        return roots
    return [*harmless[:1], *roots] if harmless and not roots else [*harmless[:1]]


def shown_by(log: Log) -> list[Showing]:
    """Every cause of which a sign is there."""
    return [Showing(cause, found) for cause in causes().values() if (found := matches(cause, log))]


def _leads(cause: Showing, other: Showing) -> bool:
    """Whether the one brings the other about: it says so, shows earlier, and is no weaker than a mere hint."""
    return (
        cause is not other
        and other.cause.category in cause.cause.leads_to
        and cause.cause.category not in other.cause.leads_to
        and cause.best.strength >= min(SIGN, other.best.strength)
    )


def described(showing: Showing, others: Iterable[Showing], case: Case) -> Found:
    """A cause in words, with the fix for the machine at hand."""
    cause, match = showing.cause, showing.best
    explanation = cause.explain if isinstance(cause.explain, str) else cause.explain(match, case)
    return Found(
        category=cause.category,
        confidence=_confidence(showing, others),
        title=cause.title,
        line=match.line.number,
        evidence=_short(match.line.text.strip()),
        explanation=explanation,
        fix=tuple(dict.fromkeys(cause.fix(match, case))),
        context=tuple(_shown(line) for line in case.log.around(match.line, BEFORE, AFTER) if line.text.strip()),
        consequences=tuple(_shown(line) for line in outcome.consequences(case.log, match.line))[-MOST_CONSEQUENCES:],
    )


def _confidence(showing: Showing, others: Iterable[Showing]) -> Confidence:
    if showing.best.strength < SIGN:
        return "possible"
    rivals = [other for other in others if other is not showing and other.best.strength == showing.best.strength]
    if showing.best.strength == PROOF and not rivals:
        return "certain"
    return "likely" if showing.best.strength == PROOF or not rivals else "possible"


def _shown(line: Line) -> Shown:
    return Shown(line.number, _short(line.text))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT // 2]} ... {text[-LONGEST_TEXT // 2 :]}"
