"""Measure what `verify --quick` costs beside `import torch` in the same environment.

python scripts/benchmark_verify.py PYTHON [--rounds N]

PYTHON is an interpreter with torch. It writes docs/benchmark-verify.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from benchmark import Case, measure, processor, spread  # noqa: E402

PAGE = ROOT / "docs/benchmark-verify.md"
IMPORT = 'python -c "import torch"'
QUICK = "attn-doctor verify --quick"
TEXT = """\
# What verifying costs

Whole processes, from start to exit, with all they started, medians with quartiles; files are in the disk cache. Made by
`make benchmark-verify`. A ratio is made within a round, so that what else the machine does cancels.

| process | wall ms | CPU ms | wall over `import torch` |
| --- | --- | --- | --- |
{rows}

What it does in that time: five cases each for eager, sdpa, two kernels of sdpa and FlexAttention, in one child.
Importing torch is one part; FlexAttention loads torch's compiler, which is nearly another.

## Where

- {where}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what verify --quick costs.")
    parser.add_argument("python", help="an interpreter with torch")
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(run(Path(folder), options.python, options.rounds), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


def run(work: Path, python: str, rounds: int) -> str:
    (work / "home").mkdir()
    tool = str(Path(sys.executable).parent / "attn-doctor")
    call = [tool, "verify", "--quick", "--python", python]
    samples = measure(
        [
            Case(IMPORT, [python, "-c", "import torch"], work),
            Case(QUICK, call, work),
            Case(f"{QUICK} sdpa", [*call, "sdpa"], work),
        ],
        rounds,
        work,
    )
    lines = []
    for name, runs in samples.items():
        times = [one.wall_s / base.wall_s for one, base in zip(runs, samples[IMPORT], strict=True)]
        wall, cpu = spread([one.wall_s * 1000 for one in runs], 0), spread([one.cpu_s * 1000 for one in runs], 0)
        lines.append(f"| `{name}` | {wall} | {cpu} | {'' if name == IMPORT else spread(times, 1)} |")
    said = "import torch; print(torch.__version__)"
    torch = subprocess.run([python, "-c", said], capture_output=True, text=True, check=True).stdout.strip()
    where = f"{os.cpu_count()} cores of a shared machine ({processor()}), {platform.system()}, torch {torch}, "
    date, load = dt.datetime.now(tz=dt.timezone.utc).date(), os.getloadavg()[0]
    where += f"{rounds} rounds, {date}, load average {load:.1f} at the end"
    return TEXT.format(rows="\n".join(lines), where=where)


if __name__ == "__main__":
    main()
