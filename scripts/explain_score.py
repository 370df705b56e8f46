"""How often `explain` names the right cause first, per stage: on public logs (tuned on, and held out) and on our own.

    .venv/bin/python scripts/explain_score.py [--show] [tune|held|threads|own ...]

Scored as the field asks: of a cause that is certain the very category counts; where it is only likely, one of the same
stage too; where even that is open, "not enough of the log" too. A log without a failure must raise no alarm.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from attn_doctor.explain.cause import causes
from attn_doctor.explain.diagnose import ranked
from attn_doctor.explain.outcome import verdict
from attn_doctor.explain.reading import read

FOLDER = Path(__file__).parent.parent / "tests" / "explain"
HARMLESS = ("not-an-install-failure", "healthy")
PARTS = ("tune", "held", "threads", "own")


class Example(NamedTuple):
    """A log and what it should come to."""

    name: str
    category: str
    stage: str
    confidence: str
    log: bytes
    also: tuple[str, ...] = ()
    """Categories that are as good an answer."""


class Scored(NamedTuple):
    """What it came to."""

    example: Example
    said: str
    others: tuple[str, ...]
    right: bool


def examples(part: str) -> Iterator[Example]:
    """The logs of one part."""
    if part == "own":
        rows = json.loads((FOLDER / "logs" / "logs.json").read_text(encoding="utf-8"))
        stages = {name: cause.stage for name, cause in causes().items()}
        for row in rows:
            data = (FOLDER / "logs" / row["file"]).read_bytes()
            stage = stages.get(row["category"], "none")
            yield Example(row["file"], row["category"], stage, "high", data, tuple(row.get("also", ())))
        return
    document = json.loads((FOLDER / "corpus" / f"{part}.json").read_text(encoding="utf-8"))
    for case in document["cases"]:
        data = case["log"].encode()
        yield Example(case["id"], case["category"], case["stage"], case["confidence"], data)


def score(example: Example) -> Scored:
    """Whether the first cause is the right one."""
    log = read([example.log])
    found = ranked(log)
    answer, _ = verdict(log, [showing.cause for showing in found])
    names = tuple(showing.cause.category for showing in found)
    said = names[0] if names else answer
    return Scored(example, said, names[1:], _right(example, said, answer))


def _right(example: Example, said: str, answer: str) -> bool:
    if example.category in HARMLESS:
        return answer in ("healthy", "unrelated") or (example.confidence != "high" and answer == "unknown")
    if said in (example.category, *example.also):
        return True
    if example.confidence == "low" and answer == "unknown":
        return True
    stage = causes()[said].stage if said in causes() else None
    return example.confidence != "high" and stage == example.stage


def alarms(scored: list[Scored]) -> list[Scored]:
    """Logs without a failure for which a cause was named."""
    return [one for one in scored if one.example.category in HARMLESS and one.said not in (*HARMLESS, *VERDICTS)]


VERDICTS = ("healthy", "unrelated", "unknown")


def table(part: str, scored: list[Scored]) -> Iterator[str]:
    """One line per stage, and the sum."""
    yield f"{part:<6}{'stage':<10}{'logs':>6}{'right':>7}{'high':>6}{'right':>7}"
    stages = [*dict.fromkeys(one.example.stage for one in sorted(scored, key=lambda one: one.example.stage)), None]
    for stage in stages:
        mine = [one for one in scored if stage in (None, one.example.stage)]
        high = [one for one in mine if one.example.confidence == "high"]
        right, high_right = sum(one.right for one in mine), sum(one.right for one in high)
        yield f"{'':<6}{stage or 'all':<10}{len(mine):>6}{right:>7}{len(high):>6}{high_right:>7}"
    yield f"{'':<6}false alarms {len(alarms(scored))}"


def main(arguments: list[str]) -> int:
    show = "--show" in arguments
    parts = [name for name in arguments if name in PARTS] or list(PARTS)
    for part in parts:
        scored = [score(example) for example in examples(part)]
        sys.stdout.write("\n".join(table(part, scored)) + "\n\n")
        for one in scored if show else ():
            if not one.right:
                e = one.example
                sys.stdout.write(
                    f"  {e.name:<40} {e.confidence:<7} {e.category:<38} said {one.said} {list(one.others)}\n"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
