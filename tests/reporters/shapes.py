"""Reports for the formats: every recorded machine, and one whose findings hold anything that a fact may hold."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from attn_doctor.judgement.check import check
from attn_doctor.judgement.need import parse
from attn_doctor.judgement.report import Finding, Location, Report
from attn_doctor.machine.whatif import simulate
from attn_doctor.reporters import reporter

MACHINES = sorted((Path(__file__).parents[1] / "machines").glob("*.json"))
FORMS = ("github", "gitlab", "html", "json", "junit", "markdown", "sarif", "text")
SCHEMAS = Path(__file__).parents[1] / "schemas"


def rendered(report: Report, form: str, *, verbose: bool = False) -> str:
    return reporter(form)(report, verbose=verbose, elapsed_s=None, plain=True)


@cache
def machines() -> dict[str, Report]:
    """Every recorded machine, held to sdpa; on every third a finding is ignored and warnings count."""
    found = {}
    for number, file in enumerate(MACHINES):
        machine = json.loads(file.read_text(encoding="utf-8"))
        report = check(simulate(machine["simulate"]), parse(machine.get("need", ())), required=("sdpa",))
        if number % 3 == 0:
            ignored = tuple(replace(one, ignored=not place) for place, one in enumerate(report.findings))
            report = replace(report, findings=ignored, fail_on="warning")
        found[file.stem] = report
    return found


@cache
def plain() -> Report:
    return check(simulate(("torch=2.13.0+cpu",)), parse(()), required=("eager",))


def with_findings(*findings: Finding) -> Report:
    return replace(plain(), findings=findings)


# what steers terminals, runners, XML, HTML, Markdown and paths
SPECIAL = "\n\r\t\x1b\x00\x07%:,;=&<>\"'`|\\*_[]()#~$@!-+.1 \u00e9\u65e5\u202e\u2028\ud7ff\ufffe\U0001f600"
text = st.text(st.one_of(st.characters(exclude_categories=("Cs",)), st.sampled_from(SPECIAL)), min_size=1, max_size=60)
pieces = st.lists(
    st.sampled_from(
        ("::error::x", "##[error]y", "%0A", "]]>", "<!--", "</script>", "```", "a_b", "::", "\n", "\n\n", "1. ")
    ),
    max_size=4,
).map("".join)
words = st.tuples(text, pieces, text).map("".join)
names = st.text(st.characters(categories=("L", "N"), include_characters="-_. ,:%()"), min_size=1, max_size=20)
locations = st.none() | st.builds(
    Location,
    file=st.lists(names, min_size=1, max_size=3).map("/".join),
    line=st.integers(1, 9999),
    column=st.integers(1, 200),
)
findings = st.builds(
    Finding,
    code=st.sampled_from(("AD103", "AD214", "AD901", "AD501")),
    severity=st.sampled_from(("error", "warning", "info")),
    title=words,
    detail=words,
    evidence=st.lists(words, max_size=2).map(tuple),
    fix=st.lists(words, max_size=2).map(tuple),
    docs=st.just("attn-doctor rule AD103"),
    ignored=st.booleans(),
    location=locations,
)


def harmless(said: str) -> str:
    """What every format makes of text: line ends stay, and what cannot be printed is a question mark."""
    return "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in said.split("\n")).strip()


def one_line(said: str) -> str:
    return harmless(said.replace("\n", " "))


def expected(report: Report) -> list[tuple[str, str, bool]]:
    return sorted((one.code, one.severity, one.ignored) for one in report.findings)


def unmet(report: Report) -> list[str]:
    return sorted(name for name, ready in report.required.items() if not ready)


Parsed = dict[str, Any]
