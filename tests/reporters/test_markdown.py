"""Markdown read back by a parser: what stands in a fact is text, whatever it looks like."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from attn_doctor.judgement.report import Finding
from attn_doctor.reporters import markdown
from reporters import shapes
from reporters.shapes import machines, rendered, with_findings

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def words(tokens: list[Token]) -> str:
    """The text that a reader sees; anything but text, code and line breaks fails the test."""
    said = []
    for token in tokens:
        assert token.type in ("text", "code_inline", "softbreak", "hardbreak", "text_special"), token
        said.append("\n" if token.type.endswith("break") else token.content)
    return "".join(said)


@settings(max_examples=300)
@given(shapes.words)
@example(":__0__")  # an underscore beside another is not one between letters
def test_prose_reads_as_it_is(said: str) -> None:
    wanted = shapes.one_line(said)
    paragraphs = PARSER.parse(markdown.prose(said))
    if not wanted:
        assert paragraphs == []
        return
    assert [token.type for token in paragraphs] == ["paragraph_open", "inline", "paragraph_close"]
    assert words(paragraphs[1].children or []) == wanted


@settings(max_examples=200)
@given(shapes.words)
def test_code_reads_as_it_is(said: str) -> None:
    wanted = shapes.one_line(said)
    if not wanted:
        return
    (span,) = PARSER.parseInline(markdown.code(said))[0].children or []
    assert (span.type, span.content) == ("code_inline", wanted)
    (fence,) = PARSER.parse(markdown.block((said,)))
    assert (fence.type, fence.info, fence.content.strip()) == ("fence", "sh", wanted)


@settings(max_examples=100)
@given(shapes.findings)
def test_no_finding_breaks_out_of_its_section(one: Finding) -> None:
    tokens = PARSER.parse(rendered(with_findings(one), "markdown", verbose=True))
    levels = [token.tag for token in tokens if token.type == "heading_open"]
    assert levels[:4] == ["h2", "h3", "h3", "h3"]
    assert sum(token.type == "table_open" for token in tokens) >= 2
    assert not [token for token in tokens if token.type.startswith(("html", "blockquote", "image", "link"))]
    fences = [token.content for token in tokens if token.type == "fence"]
    if one.fix:
        assert "".join(f"{shapes.one_line(fix)}\n" for fix in one.fix) in fences


def test_every_backend_has_its_row() -> None:
    for report in machines().values():
        tokens = PARSER.parse(rendered(report, "markdown"))
        cells = [words(token.children or []) for before, token in pairwise(tokens) if before.type == "td_open"]
        for verdict in report.backends:
            place = cells.index(verdict.name)
            assert cells[place + 1] == verdict.status
