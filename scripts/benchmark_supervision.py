"""Measure what supervising a build costs: a real CUDA extension, built by real pip, ninja and nvcc, with and without.

python scripts/benchmark_supervision.py [--rounds N] [--jobs N]

It fills the figures into docs/builds.md. Wall time tells what a user waits; on a machine that does other things it is
noisy, so the processor time that attn-doctor itself takes stands beside it, which is exact.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "scripts"))

from benchmark import processor  # noqa: E402

from attn_doctor.execute import running  # noqa: E402
from attn_doctor.execute.supervise import build  # noqa: E402

extension = import_module("execute.supervise.extension")
PAGE = ROOT / "docs/builds.md"
BLOCK = re.compile(r"<!-- cost:begin -->\n.*?<!-- cost:end -->", re.DOTALL)
# some seconds for each file, as real kernels take them
SOURCE = """\
#include <cub/cub.cuh>
template <typename T> void sum(void *room, size_t bytes, T *in, T *out, int n) {{
  cub::DeviceScan::InclusiveSum(room, bytes, in, out, n + {number});
}}
template void sum<float>(void *, size_t, float *, float *, int);
"""
PERCENT = 100
TEXT = """\
<!-- cost:begin -->
A CUDA extension of {units} files by nvcc {nvcc}, {jobs} jobs, {rounds} rounds, each with and without supervision:

| | without | supervised |
| --- | --- | --- |
| the build, wall | {plain:.1f} s | {watched:.1f} s |
| processor time of the compilers | {plain_work:.1f} s | {watched_work:.1f} s |
| processor time of attn-doctor itself | {plain_own:.2f} s | {watched_own:.2f} s |

Supervision takes {share:.2f} % of the processor time of the build. On the wall, a round with it differs from one
without by {low:+.0f} to {high:+.0f} %, median {middle:+.0f} %{noise}.

{where}.
<!-- cost:end -->"""


class Sample(NamedTuple):
    """Seconds: on the wall, of attn-doctor's own process, of everything it started."""

    wall: float
    own: float
    work: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what supervising a build costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    if not extension.NVCC or not extension.NINJA:
        sys.exit("nvcc and ninja have to be on PATH")
    pairs = []
    for number in range(options.rounds):
        # who is first changes from round to round
        order = (False, True) if number % 2 else (True, False)
        found = {watched: measured(watched, options.jobs) for watched in order}
        pairs.append((found[False], found[True]))
        print(f"{number + 1}/{options.rounds}: {found[False]} {found[True]}", flush=True)
    page = PAGE.read_text(encoding="utf-8")
    text = said(pairs, options.jobs)
    PAGE.write_text(BLOCK.sub(lambda _: text, page), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")


def measured(watched: bool, jobs: int) -> Sample:
    """One build from nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = extension.make(folder / "sources", folder / "calls", cuda=True)
        for number, source in enumerate(sorted((project / "csrc").iterdir())):
            source.write_text(SOURCE.format(number=number), encoding="utf-8")
        step = extension.step(project, folder / "wheels", jobs)
        run = build.run if watched else running.run
        started, own, work = time.monotonic(), processor_s(resource.RUSAGE_SELF), processor_s(resource.RUSAGE_CHILDREN)
        run(step, lambda _: None)
        return Sample(
            time.monotonic() - started,
            processor_s(resource.RUSAGE_SELF) - own,
            processor_s(resource.RUSAGE_CHILDREN) - work,
        )


def processor_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def said(pairs: list[tuple[Sample, Sample]], jobs: int) -> str:
    """The figures for the page."""
    plain, watched = [one for one, _ in pairs], [one for _, one in pairs]
    slower = sorted(PERCENT * (after.wall / before.wall - 1) for before, after in pairs)
    return TEXT.format(
        units=extension.UNITS,
        nvcc=nvcc_version(),
        jobs=jobs,
        rounds=len(pairs),
        plain=median(one.wall for one in plain),
        watched=median(one.wall for one in watched),
        plain_work=median(one.work for one in plain),
        watched_work=median(one.work for one in watched),
        plain_own=median(one.own for one in plain),
        watched_own=median(one.own for one in watched),
        share=PERCENT * median((after.own - before.own) / after.work for before, after in pairs),
        low=slower[0],
        high=slower[-1],
        middle=median(slower),
        noise=noise(jobs),
        where=f"{processor()}, Python {platform.python_version()}, {dt.datetime.now(dt.timezone.utc).date()}",
    )


def noise(jobs: int) -> str:
    """What has to be known of the wall times."""
    load, cores = os.getloadavg()[2], len(os.sched_getaffinity(0))
    if load <= jobs + 1:
        return ""
    return (
        f":\nthe machine did other work meanwhile (a load of {load:.1f} on {cores} cores), and that is what they show"
    )


def nvcc_version() -> str:
    printed = subprocess.run([str(shutil.which("nvcc")), "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"release ([\d.]+)", printed.stdout)
    return found[1] if found else "of an unknown version"


if __name__ == "__main__":
    main()
