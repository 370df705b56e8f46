"""Measure what a plan costs beside a check, with the catalogue as it is and ten times as large.

python scripts/benchmark_plans.py [--rounds N]

It writes docs/benchmark-plans.md. Machines are imagined, so that nothing is probed and only the work itself counts; a
larger catalogue is a refreshed copy with every row ten times, each time under another version.
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

from attn_doctor.wheels import refreshed  # noqa: E402
from attn_doctor.wheels.refresh.merge import embedded_rows  # noqa: E402
from attn_doctor.wheels.refresh.shelves import Row, shelved  # noqa: E402

PAGE = ROOT / "docs/benchmark-plans.md"
TIMES = 10
MACHINES = {
    "a file fits": ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.8.0+cu128"),
    "the machine of the guide": ("gpu=NVIDIA GeForce RTX 3050", "vram=4GiB", "driver=555.99", "torch=2.7.1+cu118"),
    "torch has to move": ("gpu=NVIDIA GeForce RTX 5090", "driver=580.95.05", "torch=2.5.1+cu124"),
    "nothing fits": ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.15.0+cu132", "pkg.vllm=0.11.0"),
}
TEXT = """\
# What a plan costs

Whole processes on imagined machines, from start to exit, medians with quartiles; `+ check` is what a plan costs more
than a check of the same machine in the same round. Made by `make benchmark-plans`.

## With the catalogue as it is

{plain}

## With a catalogue {times} times as large

{large}

## Where

- {where}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a plan costs.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--enlarge", type=Path, help="only write the larger catalogue there")
    options = parser.parse_args()
    if options.enlarge:
        return enlarge(options.enlarge)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        PAGE.write_text(run(work, options.rounds), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))
    return None


def run(work: Path, rounds: int) -> str:
    (work / "home").mkdir()
    # in a process of its own: its peak of memory would be the floor of every measurement
    subprocess.run([sys.executable, __file__, "--enlarge", str(work / "large")], check=True)
    tables = [table(measure(cases(work, cache), rounds, work)) for cache in (work / "plain", work / "large")]
    where = f"{processor()}, {platform.system()}, Python {platform.python_version()}, {rounds} rounds, "
    where += f"{dt.datetime.now(tz=dt.timezone.utc).date()}, load average {os.getloadavg()[0]:.1f} at the end"
    return TEXT.format(plain=tables[0], large=tables[1], times=TIMES, where=where)


def cases(work: Path, cache: Path) -> list[Case]:
    tool = str(Path(sys.executable).parent / "attn-doctor")
    found = []
    for name, keys in MACHINES.items():
        facts = work / f"{name.replace(' ', '-')}.json"
        if not facts.exists():
            made = subprocess.run([tool, "simulate", *keys], capture_output=True, check=True)
            facts.write_bytes(made.stdout)
        for command in (("check",), ("install", "flash_attention_2", "--dry-run"), ("wheels", "flash_attention_2")):
            called = [tool, *command, "--facts", str(facts)]
            found.append(Case(f"{command[0]}, {name}", called, work, env={"XDG_CACHE_HOME": str(cache)}))
    return found


def enlarge(cache: Path) -> None:
    """A refreshed copy in which every row stands ten times."""
    folder = cache / "attn-doctor" / refreshed.FOLDER
    folder.mkdir(parents=True, mode=0o700)
    own = [row for rows in embedded_rows().values() for row in rows]
    every = [again(row, number) for number in range(TIMES) for row in own]
    data = refreshed.encoded("0", "2099-01-01", {}, shelved(every))
    (folder / refreshed.NAME).write_bytes(data)


def again(row: Row, number: int) -> Row:
    """The row under another version: the zeroth time under its own."""
    import msgspec

    if number == 0 or not row.filename.startswith(row.filename.split("-")[0] + f"-{row.version}"):
        return row
    version = f"{row.version}.post{number}0" if ".post" not in row.version else f"{row.version}{number}"
    name = row.filename.replace(f"-{row.version}", f"-{version}", 1)
    return msgspec.structs.replace(row, version=version, filename=name)


def table(samples: dict[str, list[Sample]]) -> str:
    lines = ["| process | CPU ms | + check, CPU ms | peak MiB |", "| --- | --- | --- | --- |"]
    for name, runs in samples.items():
        command, _, machine = name.partition(", ")
        base = samples[f"check, {machine}"]
        more = [(one.cpu_s - other.cpu_s) * 1000 for one, other in zip(runs, base, strict=True)]
        peak = f"{median(run.peak_mib for run in runs):.0f}"
        cells = (f"`{command}`, {machine}", spread([run.cpu_s * 1000 for run in runs], 0), said(more, command), peak)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def said(more: Sequence[float], command: str) -> str:
    return "" if command == "check" else spread(more, 0)


if __name__ == "__main__":
    main()
