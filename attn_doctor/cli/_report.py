"""A report on its way out: cleaned of what says who and where, its places counted from the project's root, rendered."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.cli import options

if TYPE_CHECKING:
    from attn_doctor.execute.privacy import Who
    from attn_doctor.judgement.report import Finding, Report
    from attn_doctor.machine.gather import Facts

SUMMARY = "GITHUB_STEP_SUMMARY"
# where CI keeps the project: its formats count paths from there, wherever the step was started
ROOTS = {
    "github": ("GITHUB_WORKSPACE",),
    "sarif": ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"),
    "gitlab": ("CI_PROJECT_DIR",),
}


def write(
    report: Report, form: str, output: str | None, *, verbose: bool, elapsed_s: float | None, from_file: bool = False
) -> None:
    """In the format that was asked for. `from_file`: the facts may be another machine's."""
    from attn_doctor.reporters import reporter

    shown = rooted(cleaned(report, from_file=from_file), form)
    said = reporter(form)(shown, verbose=verbose, elapsed_s=elapsed_s, plain=output is not None)
    options.write(said, output, exact=form != "text")
    if form == "github" and (summary := os.environ.get(SUMMARY)):
        _append(reporter("markdown")(shown, verbose=verbose, elapsed_s=None, plain=True), summary)


def cleaned(report: Report, *, from_file: bool = False) -> Report:
    """The report without home folder, user, host and credentials."""
    from attn_doctor.execute import privacy

    return privacy.cleaned(report, _who(report.facts, from_file))


def cleaned_facts(facts: Facts, *, as_is: bool = False, from_file: bool = False) -> Facts:
    """The facts without them; `as_is`: without credentials alone."""
    from attn_doctor.execute import privacy

    of = _who(facts, from_file)
    return privacy.cleaned_facts(facts, privacy.Who(secrets=of.secrets) if as_is else of)


def _who(facts: Facts, from_file: bool) -> Who:
    from attn_doctor.execute import privacy

    python = getattr(facts.readings.get("python"), "value", None)
    here = privacy.of_this_process(getattr(python, "prefix", None) or "")
    return privacy.both(here, privacy.of_facts(facts)) if from_file else here


def rooted(report: Report, form: str) -> Report:
    """The same with the files of its findings counted from the root that this format's reader knows."""
    root = next((os.environ[name] for name in ROOTS.get(form, ()) if os.environ.get(name)), None)
    if root is None or not any(finding.location for finding in report.findings):
        return report
    return msgspec.structs.replace(report, findings=tuple(_rooted(finding, root) for finding in report.findings))


def _rooted(finding: Finding, root: str) -> Finding:
    if finding.location is None:
        return finding
    try:
        relative = os.path.relpath(os.path.realpath(finding.location.file), os.path.realpath(root))
    except ValueError:  # another drive
        return finding
    if relative.startswith(".."):
        return finding
    place = msgspec.structs.replace(finding.location, file=relative.replace(os.sep, "/"))
    return msgspec.structs.replace(finding, location=place)


def _append(text: str, file: str) -> None:
    """The annotations are out by now: a summary that cannot be written is said, and fails nothing."""
    try:
        with open(file, "a", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    except OSError as error:
        options.progress(f"attn-doctor: cannot write the step's summary: {error.strerror}")
