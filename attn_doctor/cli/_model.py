"""`--model`: what the target's transformers supports for one model, added to the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from attn_doctor.errors import UsageError

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Model, Report


def added(report: Report, model: str, python: str | None, venv: str | None, facts: str | None) -> Report:
    """The report with that section, also where nothing is known. Raises UsageError and BadInput: no such model."""
    if facts is not None:
        raise UsageError("--model reads the files of the target's transformers: it cannot go with --facts")
    from attn_doctor.judgement.model import judge
    from attn_doctor.machine.host import LiveHost
    from attn_doctor.machine.modeling.lookup import find
    from attn_doctor.machine.target import locate

    host = LiveHost()
    found = find(host, locate(host, python, venv), model)
    return msgspec.structs.replace(report, model=judge(report, found, model))


def known(report: Report, asked: str, python: str | None, venv: str | None, facts: str | None) -> Model | None:
    """That section for who cannot do without it: raises UsageError too where nothing is known."""
    model = added(report, asked, python, venv, facts).model
    if model is not None and model.unknown:
        raise UsageError(f"--model {asked}: {model.unknown}", "".join(f"Try: {command}" for command in model.fix))
    return model
