"""One output format per file; each has `render(report, ...) -> str`, and all are made from the same report."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from attn_doctor.errors import UsageError

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report


class Render(Protocol):
    """`plain`: no colour whatever the terminal; `elapsed_s`: how long the check took, where it is worth saying."""

    def __call__(self, report: Report, *, verbose: bool, elapsed_s: float | None, plain: bool) -> str: ...


def formats() -> list[str]:
    """Every format there is: the modules of this folder, sorted."""
    names = {name.partition(".")[0] for name in os.listdir(os.path.dirname(__file__))}
    return sorted(name for name in names if not name.startswith("_"))


def reporter(name: str) -> Render:
    """The renderer of a format. Raises UsageError for one that is not there."""
    if name not in formats():
        raise UsageError(f"--format {name}: there is no such format", f"Formats: {', '.join(formats())}.")
    return cast("Render", import_module(f"attn_doctor.reporters.{name}").render)
