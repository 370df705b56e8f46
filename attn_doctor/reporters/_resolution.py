"""A resolution: the word alone for scripts, the whole walk for people, variables for a shell."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from attn_doctor.reporters import _policy
from attn_doctor.reporters._lines import WIDTH, as_json, hanging, printed

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Policy
    from attn_doctor.judgement.resolution import Resolution, Step

SAFE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./,:+-")
MARKS = {"ready": "+", "installable": "~", "blocked": "!", "unsupported": "-"}


def document(one: Resolution) -> str:
    """Indented JSON, ending in a newline; validates against schemas/resolution.json."""
    return as_json(one)


def text(one: Resolution, *, verbose: bool, policy: Policy | None = None) -> str:
    """One line, the backend in the words that were asked for; nothing where none runs.

    `verbose`: every step, and what was taken of the project's policy.
    """
    if not verbose:
        return f"{one.word}\n" if one.word else ""
    return printed([*_walk(one), *(_taken(policy) if policy else ())])


def _taken(policy: Policy) -> Iterator[str]:
    yield ""
    for label, said in _policy.rows(policy, verbose=True):
        yield from hanging(label, said)


def _walk(one: Resolution) -> Iterator[str]:
    for step in one.steps:
        yield from _step(step)
    if one.framework:
        yield ""
        version = one.framework_version or "is not installed: the newest names that are known"
        yield from hanging(f"{one.framework} ", version)
    if one.setting:
        yield f"  {one.setting}"
    elif one.word is None:
        yield ""
        yield "Nothing of this chain runs here."


def _step(step: Step) -> Iterator[str]:
    mark = "+" if step.chosen else MARKS[step.status].replace("+", "!")
    state = "use this" if step.chosen else step.status if step.status != "ready" else "refused"
    yield from hanging(f"{mark} {step.backend:<18} {state:<12} ", step.reason)
    if step.fix:
        yield f"{'':<34} {step.fix}"


def variables(one: Resolution, *, failed: bool = False) -> str:
    """NAME=value lines: for `eval`, `env`, $GITHUB_ENV and `docker run --env-file` alike.

    A value that is empty takes away what an earlier call may have set. `failed`: eval loses the exit code of what is
    within its "$(...)"; the last line is a command that fails, and eval and env with it.
    """
    pairs = {
        "ATTN_BACKEND": one.backend or "",
        "ATTN_IMPLEMENTATION": one.word or "",
        "ATTN_REQUESTED": one.chain[0],
        "ATTN_FELL_BACK": "true" if one.fell_back else "false",
    }
    if one.variable and one.word:
        pairs[one.variable] = one.word
    return "".join(f"{name}={_safe(value)}\n" for name, value in pairs.items()) + ("false\n" if failed else "")


def _safe(value: str) -> str:
    """Words of the tables need no quoting; anything else would not be one."""
    return "".join(char for char in value if char in SAFE)


def spoken(one: Resolution) -> Iterator[str]:
    """The warnings, as lines of standard error."""
    for warning in warnings(one):
        yield from wrap(f"attn-doctor: {warning}", WIDTH, subsequent_indent="  ", break_long_words=False)


def warnings(one: Resolution) -> list[str]:
    """What is said of every backend that was passed over, in one sentence each."""
    passed = [step for step in one.steps if not step.chosen]
    after = [step.backend for step in one.steps[1:]]
    said = []
    for step, following in zip(passed, [*after, None], strict=False):
        ends = f"; trying {following}" if following and following != one.backend else ""
        ends = f"; using {following}" if following and following == one.backend else ends
        said.append(f"{step.backend} does not run here: {step.reason}{ends}")
    return said + [f"not read: {reason}" for reason in one.unreadable]
