"""Measure what explaining a log costs: a small one beside `--version`, and a build log of 200 MB.

python scripts/benchmark_explain.py [--rounds N] [--large-rounds N]

It writes docs/benchmark-explain.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from benchmark import Case, Sample, measure, processor, spread  # noqa: E402

PAGE = ROOT / "docs/benchmark-explain.md"
LARGE_BYTES = 200_000_000
SMALL_LINES = 50
BASE = "--version"
SIMULATED = ("gpu=NVIDIA A100-SXM4-40GB", "driver=580.65.06", "torch=2.8.0+cu128", "nvcc=12.8", "ram=32GiB")
TEXT = """\
# What explaining a log costs

Whole processes, from start to exit, medians with quartiles. Made by `make benchmark-explain`.

## A log of {lines} lines

`+ version` is what it costs more than `attn-doctor --version` in the same round. The fix is taken from a plan: for
facts from a file, and for this machine, which is probed for that.

{small}

## A build log of {size} MB

{large}

`plain` repeats what nvcc and ptxas print; `warnings` has a compiler warning in every seventh line, `errors` an error.
The cause stands in the middle.

## Where

- {where}
"""
NVCC = (
    "[%d/73] /usr/local/cuda/bin/nvcc --generate-dependencies-with-compile --dependency-output /tmp/build/flash_%d.o.d "
    "-I/tmp/csrc/flash_attn -I/tmp/csrc/cutlass/include -O3 -std=c++17 -U__CUDA_NO_HALF_OPERATORS__ "
    "--expt-relaxed-constexpr --use_fast_math -gencode arch=compute_80,code=sm_80 --threads 4 -c flash_%d.cu\n"
)
PTXAS = (
    "ptxas info    : 0 bytes gmem\n"
    "ptxas info    : Compiling entry function '_Z%dflash' for 'sm_80'\n"
    "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
    "ptxas info    : Used %d registers, used 1 barriers\n"
)
MORE = {
    "plain": "",
    "warnings": "flash.h(%d): warning #177-D: variable was declared but is not referenced\n",
    "errors": "flash.h(%d): error: expected a semicolon\n",
}
PROOF = "flash.cu(7): fatal error: cute/tensor.hpp: No such file or directory\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what explaining a log costs.")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--large-rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(run(Path(folder), options.rounds, options.large_rounds), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


def run(work: Path, rounds: int, large_rounds: int) -> str:
    (work / "home").mkdir()
    # in processes of their own: the peak of this one would be the floor of every measurement
    for name in MORE:
        subprocess.run([sys.executable, "-c", WRITER, str(work / name), *written(name)], check=True)
    small = measure(small_cases(work), rounds, work)
    large = measure(large_cases(work), large_rounds, work)
    where = f"{processor()}, {platform.system()}, Python {platform.python_version()}, {rounds} and {large_rounds} "
    where += f"rounds, {dt.datetime.now(tz=dt.timezone.utc).date()}, load average {os.getloadavg()[0]:.1f} at the end"
    return TEXT.format(
        lines=SMALL_LINES, size=LARGE_BYTES // 10**6, small=small_table(small), large=large_table(large), where=where
    )


WRITER = """
import sys
path, unit, more, proof, size = *sys.argv[1:5], int(sys.argv[5])
block = "".join(unit % ((n,) * unit.count("%d")) + (more % n if more else "") for n in range(5000)).encode()
with open(path, "wb") as file:
    done = 0
    while done < size:
        if done <= size // 2 < done + len(block):
            file.write(proof.encode())
        file.write(block)
        done += len(block)
"""


def written(name: str) -> tuple[str, ...]:
    return (NVCC + PTXAS, MORE[name], PROOF, str(LARGE_BYTES))


def small_cases(work: Path) -> list[Case]:
    """The same small log, with ever more known of the machine."""
    tool = str(Path(sys.executable).parent / "attn-doctor")
    lines = [f"  Downloading package_{number}-1.0-py3-none-any.whl (12 kB)" for number in range(SMALL_LINES - 6)]
    lines += ["Collecting flash-attn", "  Getting requirements to build wheel: finished with status 'error'"]
    lines += ["  Traceback (most recent call last):", '    File "<string>", line 20, in <module>']
    lines += ["  ModuleNotFoundError: No module named 'torch'", "  [end of output]"]
    log, facts = work / "small.log", work / "facts.json"
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    facts.write_bytes(subprocess.run([tool, "simulate", *SIMULATED], capture_output=True, check=True).stdout)
    return [
        Case(BASE, [tool, BASE], work),
        Case("explain, facts from a file", [tool, "explain", str(log), "--facts", str(facts)], work),
        Case("explain, this machine", [tool, "explain", str(log)], work),
    ]


def large_cases(work: Path) -> list[Case]:
    tool = str(Path(sys.executable).parent / "attn-doctor")
    facts = str(work / "facts.json")
    return [Case(name, [tool, "explain", str(work / name), "--facts", facts], work) for name in MORE]


def small_table(samples: dict[str, list[Sample]]) -> str:
    lines = ["| process | CPU ms | + version, CPU ms | wall ms | peak MiB |", "| --- | --- | --- | --- | --- |"]
    for name, runs in samples.items():
        more = [(one.cpu_s - other.cpu_s) * 1000 for one, other in zip(runs, samples[BASE], strict=True)]
        lines.append(row(name, runs, "" if name == BASE else spread(more, 0)))
    return "\n".join(lines)


def row(name: str, runs: Sequence[Sample], more: str) -> str:
    cpu, wall = spread([run.cpu_s * 1000 for run in runs], 0), spread([run.wall_s * 1000 for run in runs], 0)
    return f"| `{name}` | {cpu} | {more} | {wall} | {median(run.peak_mib for run in runs):.0f} |"


def large_table(samples: dict[str, list[Sample]]) -> str:
    lines = ["| log | MB/s | wall s | peak MiB |", "| --- | --- | --- | --- |"]
    for name, runs in samples.items():
        speed = spread([LARGE_BYTES / 1e6 / run.wall_s for run in runs], 0)
        wall = spread([run.wall_s for run in runs], 2)
        lines.append(f"| {name} | {speed} | {wall} | {median(run.peak_mib for run in runs):.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
