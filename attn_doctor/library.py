"""What a script may call: `attn_doctor.check()`; `attn_doctor.resolve()` stands in here.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report


def check(
    python: str | None = None,
    venv: str | None = None,
    *,
    need: Sequence[str] = (),
    what_if: Sequence[str] = (),
    deep: bool = False,
) -> Report:
    """Probe this machine and a target environment and judge them, as `attn-doctor check` does.

    A notebook shows the answer as a page.

    `need` and `what_if` are as on the command line: ("dtype=bf16", "causal"), ("torch=2.8.0",). Raises
    attn_doctor.errors.AttnDoctorError, with a message and a hint, where the call or the target is wrong.
    """
    from attn_doctor.judgement import check as judgement
    from attn_doctor.judgement import need as needs
    from attn_doctor.machine import whatif
    from attn_doctor.machine.gather import gather
    from attn_doctor.machine.host import LiveHost
    from attn_doctor.machine.target import locate
    from attn_doctor.notebook import shown

    host = LiveHost()
    target = msgspec.structs.replace(locate(host, python, venv), deep=deep)
    facts = whatif.apply(gather(host, target), what_if)
    return shown(judgement.check(facts, needs.parse(need)))
