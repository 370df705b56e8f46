"""Measure what the step in CI costs, against the same step written with collect_env; write docs/benchmark-ci.md.

python scripts/benchmark_ci.py [--target PYTHON] [--rounds N] [--install-rounds N]

`--target` is an interpreter whose environment has torch; without it one is made in a temporary folder, which needs a
package index. The steps are the scripts of the action, run as a runner runs them. Commands of one round follow each
other, and every ratio is made within a round, so that noise which lasts longer than a round cancels.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from benchmark import TORCH, Case, Sample, make_venv, measure, processor, sample, site, spread  # noqa: E402

PAGE = ROOT / "docs/benchmark-ci.md"
ACTION = ROOT / ".github/actions/attn-doctor"
STEP = "the step, with annotations and summary"
# what people write: the table for the log, and a line of it that decides
COLLECT = "set -o pipefail; {python} -m torch.utils.collect_env | tee env.txt; grep -q '^PyTorch version: 2' env.txt"
TEXT = """\
# What the step in CI costs

The check of the action as a runner runs it, in a job that has torch installed, against the same step written with
collect_env: print the table, and let one line of it decide. Whole processes, medians with quartiles; `x step` is the
ratio of wall time to the step within the same round. Made by `python scripts/benchmark_ci.py`.

{steps}

collect_env imports torch; it says what is there, and neither whether it fits together nor which backends run.

Before the first step of a job attn-doctor is installed into an environment of its own; caches filled, {install_rounds}
rounds, wall time. The first step after it compiles what it imports.

| installed by | install, s | first step, s |
| --- | --- | --- |
{installs}

A job that keeps `$RUNNER_TEMP/attn-doctor`, or an image that has attn-doctor, pays neither.

## Where

- {where}
- files are in memory already; in a fresh job the import of torch reads some hundred megabytes from the disk first
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what the step in CI costs.")
    parser.add_argument("--target", type=Path, help="an interpreter whose environment has torch")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--install-rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(run(Path(folder).resolve(), options), encoding="utf-8")
    print(PAGE.read_text(encoding="utf-8"))


def run(work: Path, options: argparse.Namespace) -> str:
    for name in ("home", "project"):
        (work / name).mkdir()
    target = options.target or made(work)
    installs = [installed(work, target, tool, options.install_rounds) for tool in ("pip", "uv")]
    steps = measure(cases(work, target), options.rounds, work)
    where = f"{processor()}, {platform.system()}, Python {platform.python_version()}, torch {torch_of(target)}, "
    where += f"{options.rounds} rounds, {dt.datetime.now(tz=dt.timezone.utc).date()}, "
    where += f"load average {os.getloadavg()[0]:.1f} at the end"
    return TEXT.format(
        steps=table(steps), installs="\n".join(installs), install_rounds=options.install_rounds, where=where
    )


def made(work: Path) -> Path:
    make_venv(work / "target", f"torch=={TORCH}")
    return work / "target/bin/python"


def torch_of(target: Path) -> str:
    found: str = next(site(target.parent.parent).glob("torch-*.dist-info")).name
    return found.removeprefix("torch-").removesuffix(".dist-info")


def installed(work: Path, target: Path, tool: str, rounds: int) -> str:
    """A row: the installation, and the first step after it."""
    case, step = install(work, tool), cases(work, target)[0]
    sample(case, work)  # fills the cache
    runs = [(sample(case, work).wall_s, sample(step, work).wall_s) for _ in range(rounds)]
    return f"| {tool} | {median(run[0] for run in runs):.1f} | {median(run[1] for run in runs):.1f} |"


def install(work: Path, tool: str) -> Case:
    """The first step of the action, with this checkout in place of a release."""

    def forget() -> None:
        shutil.rmtree(work / "runner", ignore_errors=True)

    wheel = next(work.glob("*.whl"), None)
    if wheel is None:
        built = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(work), str(ROOT)]
        subprocess.run(built, check=True)
        wheel = next(work.glob("*.whl"))
    network = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "UV_"))}
    variables = runner(work) | network | {"ATTN_DOCTOR_WANTED": str(wheel), "PIP_CACHE_DIR": cache_of_pip()}
    if tool == "pip":  # the base of this environment has no uv beside it
        base = os.path.dirname(os.path.realpath(sys.executable))
        variables["PATH"] = f"{base}:/usr/local/bin:/usr/bin:/bin"
    return Case("install", ["bash", str(ACTION / "install.sh")], work / "project", env=variables, before=forget)


def cache_of_pip() -> str:
    found = subprocess.run([sys.executable, "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def runner(work: Path) -> dict[str, str]:
    """What a runner gives to a step."""
    python = str(Path(sys.executable).parent)
    return {
        "PATH": f"{python}:/usr/local/bin:/usr/bin:/bin",
        "GITHUB_OUTPUT": str(work / "outputs"),
        "GITHUB_STEP_SUMMARY": str(work / "summary.md"),
        "GITHUB_WORKSPACE": str(work / "project"),
        "RUNNER_TEMP": str(work / "runner"),
    }


def cases(work: Path, target: Path) -> list[Case]:
    tool = str(work / "runner/attn-doctor/bin/attn-doctor")
    variables = runner(work) | {"ATTN_DOCTOR": tool, "INPUT_PYTHON": str(target), "INPUT_REQUIRE": "sdpa"}
    check = ["bash", str(ACTION / "check.sh")]
    project = work / "project"
    collect = ["bash", "-c", COLLECT.format(python=target)]
    return [
        Case(STEP, check, project, env=variables),
        Case("the step, SARIF too", check, project, env=variables | {"INPUT_SARIF": "out.sarif"}),
        Case("attn-doctor check alone", [tool, "check", "--python", str(target)], project),
        Case("the step with collect_env", collect, project),
    ]


def table(samples: dict[str, list[Sample]]) -> str:
    lines = ["| step | wall ms | CPU ms | peak MiB | x step |", "| --- | --- | --- | --- | --- |"]
    for name, runs in samples.items():
        ratios = [one.wall_s / other.wall_s for one, other in zip(runs, samples[STEP], strict=True)]
        cells = (
            name,
            spread([run.wall_s * 1000 for run in runs], 0),
            spread([run.cpu_s * 1000 for run in runs], 0),
            f"{median(run.peak_mib for run in runs):.0f}",
            "1" if name == STEP else spread(ratios, 2),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
