"""AD420 import-fails

With `--deep` torch and the attention packages are imported for real, in the target's own interpreter. One of them does
not import: it raises, crashes or never comes back. Whatever its files and versions promise, it cannot be used.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.deep import Import


def check(deep: dict[str, Import]) -> Problem | None:
    failed = [f"import {found.module} ({name}): {found.error}" for name, found in deep.items() if found.error]
    return Problem("; ".join(failed) + ".") if failed else None


RULE = Rule("AD420", "import-fails", "error", "an installed package cannot be imported", check)
