"""A report as a notebook shows it: the HTML page in a frame of its own, and text where there is no HTML."""

from __future__ import annotations

from typing import Any

from attn_doctor.judgement.report import Report

# no script and no network in it; its colours and widths stay inside. Its corner can be pulled
FRAME = (
    '<iframe title="attn-doctor" sandbox="" srcdoc="{page}" loading="lazy"'
    ' style="width:100%;height:{height}rem;border:0;resize:vertical;overflow:auto"></iframe>'
)
ESCAPED = (("&", "&amp;"), ('"', "&quot;"))
LOWEST, ROW, FINDING, HIGHEST = 16, 2, 8, 60  # rem: the heading and the machine, a backend, a finding; and no more


class Shown(Report, frozen=True, kw_only=True):
    """A report like any other, which IPython and its like show as a page. Home folder and names are left out of it."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from attn_doctor.execute import privacy
        from attn_doctor.reporters import html, text

        clean = privacy.cleaned(self, privacy.of_this_process())
        page = html.render(clean, verbose=False, elapsed_s=None, plain=True)
        return {
            "text/plain": text.render(clean, verbose=False, elapsed_s=None, plain=True),
            "text/html": framed(page, self),
        }

    def _repr_html_(self) -> str:
        return self._repr_mimebundle_()["text/html"]


def shown(report: Report) -> Shown:
    """The same report."""
    return Shown(**{name: getattr(report, name) for name in report.__struct_fields__})


def framed(page: str, report: Report) -> str:
    """A whole page as part of another: a cell has neither a body of its own nor a say in its styles."""
    for char, entity in ESCAPED:
        page = page.replace(char, entity)
    height = LOWEST + ROW * len(report.backends) + FINDING * len(report.findings)
    return FRAME.format(page=page, height=min(height, HIGHEST))
