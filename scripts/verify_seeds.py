"""Hold what torch brings against float64 with many seeds: whatever is called wrong is a false alarm.

python scripts/verify_seeds.py PYTHON [--seeds N] [--first SEED]

PYTHON is an interpreter with torch. The quick cases on its CPU, for eager, sdpa, each kernel of sdpa and FlexAttention;
the last lines are the table of docs/verify.md. Exit code 1 where there was a false alarm.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict

from attn_doctor.measure.cases import cases
from attn_doctor.measure.child import Child
from attn_doctor.measure.verify import BAD, PATIENT, SCRIPT, Row, judged, subjects_of

BACKENDS = ("eager", "sdpa", "flex_attention")


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the false alarms of verify.")
    parser.add_argument("python")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    options = parser.parse_args()
    child = Child(options.python, SCRIPT, PATIENT)
    rows: dict[str, list[Row]] = defaultdict(list)
    begun = time.monotonic()
    try:
        for place in range(options.seeds):
            for subject in subjects_of(BACKENDS, "cpu"):
                rows[subject] += tried(child, subject, options.first + 1000 * place)
    finally:
        child.close()
    print(f"torch {child.hello.get('torch')}, {options.seeds} seeds, {time.monotonic() - begun:.0f} s")
    print(table(rows))
    alarms = [row for listed in rows.values() for row in listed if row.status in BAD]
    for row in alarms:
        print(row, file=sys.stderr)
    sys.exit(1 if alarms else 0)


def tried(child: Child, subject: str, seed: int) -> list[Row]:
    listed = cases(subject, seed, "cpu", quick=True)
    return [judged(one, child.ask({**one.question(), "quick": True}, 120))[0] for one in listed]


def table(rows: dict[str, list[Row]]) -> str:
    lines = [
        "| | right | refused | false alarms | largest share of what is allowed |",
        "| --- | --- | --- | --- | --- |",
    ]
    for subject, listed in rows.items():
        count = Counter(row.status for row in listed)
        share = max(row.error / row.allowed for row in listed if row.error is not None and row.allowed)
        alarms = sum(row.status in BAD for row in listed)
        lines.append(f"| {subject} | {count['right']} | {count['refused']} | {alarms} | {share:.0%} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
