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

from benchmark import processor  # noqa: E402

from attn_doctor.measure.bench import Bench, Plan  # noqa: E402
from attn_doctor.measure.shapes import Shape, parse  # noqa: E402

PAGE = ROOT / "docs/benchmark-bench.md"
SHAPES = ("2x512x8x64", "1x1024x8x64", "1x2048x8x64")
SUBJECTS = ("sdpa", "eager")
TEXT = """\
# How true the times of `bench` are

Medians in milliseconds, causal, fp32, forward. `torch` is `torch.utils.benchmark.Timer(...).blocked_autorange()` with
as many threads, in a process of its own; the two take turns, {rounds} rounds. Made by `scripts/benchmark_bench.py`.

| shape | backend | bench | torch | apart |
| --- | --- | --- | --- | --- |
{rows}

Of the time that such a bench takes, {share:.0%} is spent inside what it measures, warm-up calls included; beside that
it takes {start:.1f} s to import torch.

- {where}
"""
# torch's own timer on the same call, with inputs of its own
TIMER = """
import json, math, sys, torch
import torch.nn.functional as F
from torch.utils.benchmark import Timer
batch, length, heads, dim, subject = json.loads(sys.argv[1])
q, k, v = (torch.randn(batch, heads, length, dim) for _ in range(3))
hidden = torch.ones(length, length, dtype=torch.bool).triu(1)
def eager(q, k, v):
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(hidden, -math.inf)
    return torch.softmax(scores, dim=-1, dtype=torch.float32) @ v
def sdpa(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)
call = {"eager": eager, "sdpa": sdpa}[subject]
with torch.no_grad():
    timer = Timer("call(q, k, v)", globals=globals(), num_threads=torch.get_num_threads())
    print(timer.blocked_autorange(min_run_time=0.8).median * 1e3)
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    rows, shares, starts = [], [], []
    for text in SHAPES:
        shape = parse(text, causal=True, dtype="fp32")
        ours: dict[str, list[float]] = {name: [] for name in SUBJECTS}
        theirs: dict[str, list[float]] = {name: [] for name in SUBJECTS}
        for _ in range(given.rounds):
            for name, ms, share, start in measured(given.python, shape):
                ours[name].append(ms)
                shares.append(share)
                starts.append(start)
            for name in SUBJECTS:
                theirs[name].append(timed(given.python, shape, name))
        for name in SUBJECTS:
            a, b = median(ours[name]), median(theirs[name])
            rows.append(f"| {text} | {name} | {a:.2f} | {b:.2f} | {a / b - 1:+.1%} |")
    where = f"{processor()}, {os.cpu_count()} cores, {dt.datetime.now(tz=dt.timezone.utc):%Y-%m-%d}"
    PAGE.write_text(
        TEXT.format(rounds=given.rounds, rows="\n".join(rows), share=median(shares), start=median(starts), where=where),
        encoding="utf-8",
    )
    sys.stdout.write(PAGE.read_text(encoding="utf-8"))


def measured(python: str, shape: Shape) -> list[tuple[str, float, float, float]]:
    """(backend, ms, share of the time inside it, seconds to start) of one bench."""
    bench = Bench(python, Plan(subjects=SUBJECTS, shapes=(shape,), directions=("forward",), device="cpu", seed=1))
    try:
        began = time.monotonic()
        bench.start()
        started = time.monotonic()
        bench.run(lambda _what, _share: None, started)
        share = bench.spent.kernel_s / (time.monotonic() - started)
        return [(row.subject, row.ms or 0.0, share, started - began) for row in bench.timings]
    finally:
        bench.close()


def timed(python: str, shape: Shape, subject: str) -> float:
    """Milliseconds, by torch's timer."""
    asked = json.dumps([shape.batch, shape.length, shape.heads, shape.head_dim, subject])
    done = subprocess.run([python, "-c", TIMER, asked], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
