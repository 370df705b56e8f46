"""Hold the times of `attn-doctor bench` against torch's own timer on the same shapes, and say what it spends beside.

python scripts/benchmark_bench.py PYTHON [--rounds N]

PYTHON is the interpreter of an environment with torch. It writes docs/benchmark-bench.md. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT)]

import msgspec  # noqa: E402
from benchmark import processor  # noqa: E402

from attn_doctor.measure.bench import Bench, Plan  # noqa: E402
from attn_doctor.measure.child import FOLDER  # noqa: E402
from attn_doctor.measure.shapes import Shape, parse  # noqa: E402

PAGE = ROOT / "docs/benchmark-bench.md"
SHAPES = ("2x512x8x64", "1x1024x8x64", "1x2048x8x64")
SUBJECTS = ("sdpa", "eager")
TEXT = """\
# How true the times of `bench` are

Medians in milliseconds, causal, fp32, forward. `bench` is what its child process measures; `torch` is
`torch.utils.benchmark.Timer(...).blocked_autorange()` on the same call and the same tensors, in the same process. The
two take turns, {rounds} rounds. Made by `scripts/benchmark_bench.py`.

| shape | backend | bench | torch | apart |
| --- | --- | --- | --- | --- |
{rows}

torch's timer calls `torch.set_num_threads`, and from then on torch multiplies otherwise, even where the number is the
one it had: `unset` below is what the same call takes before anybody has called it. `bench` leaves the number alone, as
a training script does; for the table above it is set for both.

| shape | backend | unset | set | apart |
| --- | --- | --- | --- | --- |
{threads}

Of the time that a bench of these takes, {share:.0%} is spent inside what it measures, warm-up calls included; beside
that it takes {start:.1f} s to import torch.

- {where}
"""
# runs in the target's interpreter, with the folder of bench's own children first on its path
PAIRED = """
import json, sys
from statistics import median
sys.path.insert(0, sys.argv[1])
import bench, torch
from torch.utils.benchmark import Timer
shape, subjects, rounds = json.loads(sys.argv[2])
def ours(one):
    return median(bench.answer({**one, "do": "block"})["times_s"]) * 1e3
def theirs(one):
    call, sets, _layout = bench.ready(one)
    names = dict(call=call, q=sets[0][0], k=sets[0][1], v=sets[0][2])
    with torch.no_grad():
        timer = Timer("call(q, k, v)", globals=names, num_threads=torch.get_num_threads())
        return timer.blocked_autorange(min_run_time=0.8).median * 1e3
common = dict(shape=shape, direction="forward", device="cpu", target_s=0.8, known_s=0.01, against=subjects[-1])
asked = [dict(common, subject=name) for name in subjects]
for one in asked:
    bench.answer({**one, "do": "first"})
unset = [median(ours(one) for _ in range(3)) for one in asked]
torch.set_num_threads(torch.get_num_threads())
pairs = [[(ours(one), theirs(one)) for one in asked] for _ in range(rounds)]
print(json.dumps([[before, *map(median, zip(*pair))] for before, pair in zip(unset, zip(*pairs))]))
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    rows, threads, shares, starts = [], [], [], []
    for text in SHAPES:
        shape = parse(text, causal=True, dtype="fp32")
        for name, (unset, ours, theirs) in zip(SUBJECTS, paired(given.python, shape, given.rounds), strict=True):
            rows.append(f"| {text} | {name} | {ours:.2f} | {theirs:.2f} | {ours / theirs - 1:+.1%} |")
            threads.append(f"| {text} | {name} | {unset:.2f} | {ours:.2f} | {ours / unset - 1:+.1%} |")
        share, start = spent(given.python, shape)
        shares.append(share)
        starts.append(start)
    where = f"{processor()}, {os.cpu_count()} cores, {dt.datetime.now(tz=dt.timezone.utc):%Y-%m-%d}"
    said = TEXT.format(
        rounds=given.rounds,
        rows="\n".join(rows),
        threads="\n".join(threads),
        share=median(shares),
        start=median(starts),
        where=where,
    )
    PAGE.write_text(said, encoding="utf-8")
    sys.stdout.write(PAGE.read_text(encoding="utf-8"))


def paired(python: str, shape: Shape, rounds: int) -> list[tuple[float, float, float]]:
    """(bench before the number of threads was set, bench after it, torch's timer) of each backend; milliseconds."""
    asked = json.dumps([{**msgspec.to_builtins(shape), "seed": 1}, SUBJECTS, rounds])
    done = subprocess.run([python, "-c", PAIRED, FOLDER, asked], capture_output=True, text=True, check=True)
    return [(unset, ours, theirs) for unset, ours, theirs in json.loads(done.stdout)]


def spent(python: str, shape: Shape) -> tuple[float, float]:
    """(share of the time that lies inside what is measured, seconds to start) of one bench."""
    bench = Bench(python, Plan(subjects=SUBJECTS, shapes=(shape,), directions=("forward",), device="cpu", seed=1))
    try:
        began = time.monotonic()
        bench.start()
        started = time.monotonic()
        bench.run(lambda _what, _share: None, started)
        return bench.spent.kernel_s / (time.monotonic() - started), started - began
    finally:
        bench.close()


if __name__ == "__main__":
    main()
