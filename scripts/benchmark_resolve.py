"""Measure what attn_doctor.resolve() costs a script, against `import torch`; write docs/benchmark-resolve.md.

python scripts/benchmark_resolve.py PYTHON [--rounds N]

PYTHON is an interpreter with torch; attn-doctor and what it needs are taken from where this runs. Every sample is a
process of its own; cases of one round follow each other, so that noise which lasts longer than a round strikes all.
Beside other work, as root: chrt -f 1 taskset -c 1 python scripts/benchmark_resolve.py PYTHON
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import msgspec

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from benchmark import processor  # noqa: E402

PAGE = ROOT / "docs/benchmark-resolve.md"
USUAL = "import argparse, dataclasses, json, logging, math, os, pathlib, random, time, typing"
RESOLVE = "import attn_doctor\nanswer = attn_doctor.resolve('flash_attention_2', framework='transformers')"
# what of the caller would change what is measured; without bytecode every module is compiled anew
OURS = ("VIRTUAL_ENV", "ATTN_DOCTOR_NO_CACHE", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED")
TIMED = """
import sys, time
{before}
wall, cpu = time.perf_counter(), time.process_time()
{timed}
print("[%f, %f]" % (time.perf_counter() - wall, time.process_time() - cpu))
"""
TEXT = """\
# What resolve() costs a script

`attn_doctor.resolve("flash_attention_2", framework="transformers")` with all that is imported for it, in milliseconds;
medians with quartiles, and the least of all, which is nearest to a core that nobody else uses. Every sample is a
process of its own. Made by `python scripts/benchmark_resolve.py PYTHON`.

{table}

*Remembered*: an earlier process has asked the same, and nothing of what it looked at has changed
([how](adr/0010-a-remembered-resolution.md)). *The first time*: the cache folder is empty; every file is read and judged
anew, and the answer written down. The first process after a change pays the same.

A bare interpreter has imported nothing; the greater half of what it pays the first time is for what the row below it
imports, and that is not ours to make shorter. A usual script has most of that already, and torch brings the rest:

    {usual}

## Where

- {where}
"""


class Case(NamedTuple):
    """What has been imported, what is timed, and whether an earlier answer may be used."""

    name: str
    before: str
    timed: str
    remembered: bool = True


CASES = (
    Case("`import torch`", "", "import torch"),
    Case("a bare interpreter, remembered", "", RESOLVE),
    Case("a bare interpreter, the first time", "", RESOLVE, remembered=False),
    Case("of that: `import json, logging, msgspec`", "", "import json, logging, msgspec"),
    Case("a usual script, remembered", USUAL, RESOLVE),
    Case("a usual script, the first time", USUAL, RESOLVE, remembered=False),
    Case("of that: `import msgspec`", USUAL, "import msgspec"),
    Case("after `import torch`, remembered", f"{USUAL}\nimport torch", RESOLVE),
    Case("after `import torch`, the first time", f"{USUAL}\nimport torch", RESOLVE, remembered=False),
    Case("again in the same process", f"{USUAL}\n{RESOLVE}", RESOLVE),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what resolve() costs a script.")
    parser.add_argument("python")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples = measured(options.python, Path(folder), options.rounds)
    rows = [row(case.name, samples[case.name]) for case in CASES]
    where = f"{processor()}, {os.cpu_count()} cores, {platform.system()}, Python {version(options.python)}, "
    where += f"{options.rounds} rounds, {dt.datetime.now(tz=dt.timezone.utc).date()}, no GPU, "
    where += f"load average {os.getloadavg()[0]:.1f} at the end{priority()}"
    table = "\n".join(["| | wall | CPU | least CPU |", "| --- | --- | --- | --- |", *rows])
    PAGE.write_text(TEXT.format(table=table, where=where, usual=USUAL), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


def priority() -> str:
    """Whether nobody else could take the core meanwhile; Linux alone knows."""
    ask = getattr(os, "sched_getscheduler", None)
    return ", real-time priority" if ask and ask(0) in (os.SCHED_FIFO, os.SCHED_RR) else ""


def row(name: str, samples: list[tuple[float, float]]) -> str:
    wall, cpu = zip(*samples, strict=True)
    return f"| {name} | {spread(wall)} | {spread(cpu)} | {written(min(cpu))} |"


def measured(python: str, work: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    samples: dict[str, list[tuple[float, float]]] = {case.name: [] for case in CASES}
    for number in range(-1, rounds):  # the first of them warms up
        for case in CASES:
            script = work / "train.py"
            script.write_text(TIMED.format(before=case.before, timed=case.timed), encoding="utf-8")
            wall, cpu = sample(python, script, case.remembered)
            if number >= 0:
                samples[case.name].append((wall * 1000, cpu * 1000))
    return samples


def sample(python: str, script: Path, remembered: bool) -> tuple[float, float]:
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    kept |= {"PYTHONPATH": os.pathsep.join((str(ROOT), os.path.dirname(os.path.dirname(msgspec.__file__))))}
    with tempfile.TemporaryDirectory(dir=script.parent) as empty:
        kept |= {"XDG_CACHE_HOME": str(script.parent / "cache") if remembered else empty}
        done = subprocess.run([python, script], env=kept, capture_output=True, text=True, timeout=300, check=True)
    wall, cpu = json.loads(done.stdout.splitlines()[-1])
    return float(wall), float(cpu)


def spread(values: Sequence[float]) -> str:
    low, _, high = quantiles(values, n=4)
    return f"{written(median(values))} ({written(low)} to {written(high)})"


def written(value: float) -> str:
    return f"{value:.{2 if value < 1 else 1 if value < 100 else 0}f}"  # noqa: PLR2004


def version(python: str) -> str:
    asked = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
