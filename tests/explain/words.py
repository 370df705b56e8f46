"""What programs print, by category: `wordings/CATEGORY.txt`.

Each text stands after "=== by: its source"; one that must not be taken for it after "=== not: why".
"""

from __future__ import annotations

import re
from pathlib import Path

from attn_doctor.explain.case import Case
from attn_doctor.explain.diagnose import diagnose
from attn_doctor.explain.diagnosis import Diagnosis
from attn_doctor.explain.reading import from_text
from attn_doctor.machine.whatif import simulate

FOLDER = Path(__file__).parent / "wordings"


def wordings(kind: str) -> list[tuple[str, str]]:
    """(category, log) of that kind: 'by' or 'not'."""
    return [
        (path.stem, text)
        for path in sorted(FOLDER.glob("*.txt"))
        for block in re.split(r"(?m)^=== (?=by|not)", path.read_text(encoding="utf-8"))[1:]
        for head, _, text in [block.partition("\n")]
        if head.startswith(kind)
    ]


def case(text: str, *what_if: str) -> Case:
    """A log, on an imagined machine where one is given."""
    return Case(from_text(text), lambda: simulate(list(what_if)) if what_if else None)


def diagnosed(text: str, *what_if: str) -> Diagnosis:
    """What it comes to."""
    return diagnose(case(text, *what_if))


def fixes(text: str, *what_if: str) -> str:
    """All that is proposed for the first cause, in one text."""
    return "\n".join(diagnosed(text, *what_if).causes[0].fix)
