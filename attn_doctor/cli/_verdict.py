"""`--need`, `--require`, `--fail-on` and `--ignore` where a command's own answer is something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attn_doctor.cli import options
from attn_doctor.errors import UsageError

if TYPE_CHECKING:
    from attn_doctor.judgement.allowed import Allowed
    from attn_doctor.judgement.report import Report
    from attn_doctor.machine.gather import Facts


def check_level(fail_on: str | None, ignore: list[str]) -> None:
    """Raises UsageError for a severity or a code that there is not."""
    if fail_on is not None:
        options.one_of("--fail-on", fail_on, options.FAIL_ON)
    if not ignore:
        return
    from attn_doctor.judgement.rule import rules

    unknown = next((code for code in ignore if code not in rules()), None)
    if unknown is not None:
        raise UsageError(f"--ignore {unknown}: there is no such finding", "List them: attn-doctor rule --list")


def is_asked(need: list[str], require: list[str], fail_on: str | None, ignore: list[str]) -> bool:
    """Whether the facts are to be judged besides. Raises UsageError for what cannot be read."""
    if not (need or require or fail_on or ignore):
        return False
    from attn_doctor.judgement import names
    from attn_doctor.judgement.need import parse

    check_level(fail_on, ignore)
    parse(need)
    for one in require:
        names.backend(one)
    return True


def verdict(
    facts: Facts,
    backend: str | None,
    need: list[str],
    require: list[str],
    fail_on: str | None,
    ignore: list[str],
    allowed: Allowed | None = None,
) -> int:
    """The exit code by these options alone, for a command whose own answer is another; what is amiss is said.

    `backend`: the one that the command is about, which has to offer what is needed; `allowed`: whose wheels may come.
    """
    from attn_doctor.judgement import check, names
    from attn_doctor.judgement.need import parse

    report = check.check(facts, parse(need), ignore, [names.backend(one) for one in require], allowed)
    for one in report.backends:
        if report.required.get(one.name) is False:
            options.progress(f"attn-doctor: {one.name} is {one.status}: {next(iter(one.reasons), 'not ready')}")
    code = check.exit_code(report, fail_on or "never") if require or fail_on else 0
    lacking = _lacking(facts, report, backend, allowed) if need and backend else None
    if lacking is not None:
        options.progress(f"attn-doctor: {backend} {lacking}")
    return 1 if lacking else code


def _lacking(facts: Facts, report: Report, backend: str, allowed: Allowed | None) -> str | None:
    """What the backend does not offer of what is needed; None where it offers all, or is in nobody's way for that."""
    from attn_doctor.judgement import check
    from attn_doctor.judgement.need import parse

    before = next(one for one in check.check(facts, parse([]), allowed=allowed).backends if one.name == backend)
    now = next(one for one in report.backends if one.name == backend)
    return (
        None if now.status == before.status else next((one for one in now.reasons if one not in before.reasons), None)
    )
