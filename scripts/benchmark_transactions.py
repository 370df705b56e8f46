"""Measure what it costs to keep an environment of 5 GB and 30,000 files, and to put it back; writes the docs page.

python scripts/benchmark_transactions.py [--files 30000] [--gigabytes 5] [--runs 5] [--where DIR]

The environment is made of small files of the sizes of a torch environment's, and large ones whose room is taken without
writing it. The ways are measured in turns, and before each the file system is told to write everything down.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from attn_doctor.execute.fingerprint import fingerprint
from attn_doctor.execute.kept import Places, drop, swap
from attn_doctor.plan.steps import KEEP

PAGE = Path(__file__).parent.parent / "docs" / "benchmark-transactions.md"
LARGE, IN_A_FOLDER = 40, 10
ENOUGH = 2.0  # times `cp -al`: what keeping and putting back may take


def make(folder: Path, files: int, size_bytes: int) -> None:
    """An environment of that many files and that size."""
    chance = Random(1)  # noqa: S311 - sizes, no secrets
    for number in range(files - LARGE):
        place = folder / "lib" / f"p{number // 100}" / f"s{number // IN_A_FOLDER % 10}"
        if number % IN_A_FOLDER == 0:
            place.mkdir(parents=True, exist_ok=True)
        (place / f"f{number}.py").write_bytes(b"x" * chance.randint(100, 9000))
    for number in range(LARGE):
        with (folder / "lib" / f"large{number}.so").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, size_bytes // LARGE)


def timed(act: Callable[[], object]) -> float:
    """Seconds of one act, everything before it written down."""
    os.sync()
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def copy(how: str, env: Path, to: str) -> None:
    """By the command that everybody knows."""
    subprocess.run([shutil.which("cp") or "cp", how, env, to], check=True)


def measured(env: Path, runs: int) -> dict[str, list[float]]:
    """Seconds of each way, in turns."""
    python, kept = sys.executable, Places(str(env), f"{env}.before", f"{env}.failed")
    found: dict[str, list[float]] = {}

    def note(name: str, act: Callable[[], object]) -> None:
        found.setdefault(name, []).append(timed(act))

    for run in range(runs):
        if run < 1:
            note("`cp -a`", lambda: copy("-a", env, f"{env}.copy"))
            shutil.rmtree(f"{env}.copy")
        note("`cp -al`", lambda: copy("-al", env, f"{env}.links"))
        shutil.rmtree(f"{env}.links")
        note("keep", lambda: subprocess.run([python, "-c", KEEP, kept.here, kept.there], check=True))
        note("its fingerprint", lambda: fingerprint(kept.there))
        note("put back", lambda: swap(kept))
        note("remove what failed", lambda: drop(kept.aside))
    return found


def page(found: dict[str, list[float]], files: int, gigabytes: float, where: str) -> str:
    """The page as it stands in docs/."""
    middle = {name: statistics.median(times) for name, times in found.items()}
    both = middle["keep"] + middle["its fingerprint"] + middle["put back"]
    rows = [
        f"| {name} | {middle[name]:.2f} s | {max(times):.2f} s | {middle[name] / middle['`cp -al`']:.1f} |"
        for name, times in found.items()
    ]
    rows.append(f"| **keep, fingerprint and put back** | **{both:.2f} s** | | **{both / middle['`cp -al`']:.1f}** |")
    return f"""# What keeping and putting back costs

An environment of {gigabytes:g} GB in {files:,} files, on {where}, Python {platform.python_version()}. Written by
`scripts/benchmark_transactions.py`; medians of {len(found["keep"])} runs in turns, `cp -a` once.

| what | median | worst | in times of `cp -al` |
|---|---|---|---|
{chr(10).join(rows)}

To put back is two or three renames, whatever the size of the environment: it takes no network and no room. What failed
is removed after that, when the environment is already as it was. `cp -a` is what a copy of the environment would take,
once before each change, with {gigabytes:g} GB of room; `cp -al` makes hard links and is the measure: at most
{ENOUGH:g} times that is wanted.
"""


def main() -> None:
    """Make, measure, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=30_000)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--where")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="transactions-", dir=given.where))
    try:
        env = folder / "environment"
        make(env, given.files, int(given.gigabytes * 1e9))
        asked = [shutil.which("stat") or "stat", "-f", "-c", "%T", str(folder)]
        kind = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        text = page(measured(env, given.runs), given.files, given.gigabytes, f"{kind}, {os.cpu_count()} cores")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
