"""Workflow commands, read back as the runner reads them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings

import imagined
from attn_doctor.judgement.report import Finding, Location
from reporters import shapes
from reporters.runner import command, commands
from reporters.shapes import rendered, with_findings


def finding(**changed: object) -> Finding:
    said = {
        "code": "AD103", "severity": "error", "title": "torch has no code", "detail": "needs sm_120", "evidence": (),
        "fix": (), "docs": "attn-doctor rule AD103",
    } | changed  # fmt: skip
    return Finding(**said)  # type: ignore[arg-type]


@settings(max_examples=300)
@given(shapes.findings)
def test_every_finding_comes_back_as_it_was(one: Finding) -> None:
    found = commands(rendered(with_findings(one), "github"))
    assert [each.name for each in found[1:]] == ["group", "endgroup"], "nothing in a fact is a command"
    assert found[0].name == ("notice" if one.ignored or one.severity == "info" else one.severity)
    ignored = " (ignored)" if one.ignored else ""
    assert found[0].properties.pop("title") == f"{one.code}{ignored} {shapes.one_line(one.title)}".strip()
    where = one.location
    assert found[0].properties == (
        {"file": where.file, "line": str(where.line), "col": str(where.column)} if where else {}
    )
    fixes = [f"{'or' if number else 'fix'}: {shapes.one_line(fix)}" for number, fix in enumerate(one.fix)]
    assert found[0].data == "\n".join((shapes.harmless(one.detail), *fixes))


def test_escaping_by_example() -> None:
    one = finding(
        title="50 %, a:b", detail="first\nsecond :: 100%\n::error::x", location=Location("src/a,b.toml", 3, 7)
    )
    assert rendered(with_findings(one), "github").splitlines()[0] == (
        "::error file=src/a%2Cb.toml,line=3,col=7,title=AD103 50 %25%2C a%3Ab::first%0Asecond :: 100%25%0A::error::x"
    )


def test_the_reader_of_the_tests_reads_a_command_and_nothing_else() -> None:
    assert command("  ::warning file=a.py,line=1::b%0Ac") == ("warning", {"file": "a.py", "line": "1"}, "b\nc")
    assert command("see ##[error]x") is not None
    assert command("::unknown::x") is None
    assert command("a ::error::x") is None


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "summary.md"
    file.write_text("before\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(file))
    return file


def test_the_summary_of_the_step_is_the_markdown_report(summary: Path) -> None:
    called = imagined.checked("gpu=NVIDIA GeForce RTX 5090", "torch=2.5.1+cu124", options=("--format", "github"))
    markdown = imagined.checked("gpu=NVIDIA GeForce RTX 5090", "torch=2.5.1+cu124", options=("--format", "markdown"))
    assert called.code == markdown.code == 1
    assert summary.read_text(encoding="utf-8") == "before\n" + markdown.out


@pytest.mark.parametrize("form", [form for form in shapes.FORMS if form != "github"])
def test_no_other_format_writes_a_summary(summary: Path, form: str) -> None:
    imagined.checked("torch=2.13.0+cpu", options=("--format", form))
    assert summary.read_text(encoding="utf-8") == "before\n"


def test_a_summary_that_cannot_be_written_fails_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "gone" / "summary.md"))
    called = imagined.checked("torch=2.13.0+cpu", options=("--format", "github"))
    assert called.code == 0
    assert called.err.strip() == "attn-doctor: cannot write the step's summary: No such file or directory"
    assert "::group::" in called.out


def test_places_are_counted_from_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "services" / "train"
    inner.mkdir(parents=True)
    (inner / "attn-doctor.toml").write_text('require = ["flash_attention_3"]\n', encoding="utf-8")
    monkeypatch.chdir(inner)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    called = imagined.checked("torch=2.13.0+cpu", options=("--format", "github"))
    assert called.code == 1
    places = {one.properties.get("file") for one in commands(called.out) if "file" in one.properties}
    assert places == {"services/train/attn-doctor.toml"}
    assert os.getcwd() == str(inner)
