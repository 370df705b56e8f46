"""Measure what a whole `attn-doctor check` costs, beside other processes, on this machine; write docs/benchmark.md.

python scripts/benchmark.py [--work DIR] [--rounds N] [--slow-rounds N] [--cuda] [--cold]

Environments are made in DIR (default: a temporary folder) and kept there for a next run; making them needs a package
index and about 2 GB. The target with a CUDA torch and xFormers is DIR/cuda: it is taken where it is there, and made
where --cuda is given (8 GB, Linux x86_64); without it its tables are left out. Commands of one round follow each other,
and every ratio is made within a round, so that noise which lasts longer than a round cancels.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import pty
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import BinaryIO, NamedTuple

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/benchmark.md"
TORCH = "2.13.0"
EXTRA_PACKAGES = 500
VENVS = 10
BIG_FOLDER = (200, 100)  # folders, files in each
WARM_UPS = 2
MIB_PER_KIB = 1 / 1024
CHECK = "attn-doctor check"
IMPORTS = 'python -c "import typer, rich"'
CUDA_TORCH = ("torch==2.8.0", "xformers==0.0.32.post2")
# flash-attn's own files need a compiler or a download of their own: a library of its kind under its name reads alike
STAND_IN = ("xformers/flash_attn_3/_C.so", "flash_attn_2_cuda.so", "flash_attn-2.8.3.dist-info")
NO_CACHE = {"ATTN_DOCTOR_NO_CACHE": "1"}


class Case(NamedTuple):
    """A command, the folder it runs in, and whether it writes to a terminal or to a file."""

    name: str
    command: list[str]
    folder: Path
    terminal: bool = False
    env: dict[str, str] = {}  # noqa: RUF012 - a default, never changed
    before: Callable[[], None] | None = None


class Sample(NamedTuple):
    """One run of one case: seconds and bytes of the process and what it waited for."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a check costs.")
    parser.add_argument("--work", type=Path, help="where the environments are made and kept")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--slow-rounds", type=int, default=7)
    parser.add_argument("--cuda", action="store_true", help="download a CUDA torch where DIR has none")
    parser.add_argument("--cold", action="store_true", help="as root: cold is the whole machine, not the target alone")
    options = parser.parse_args()
    if options.work:
        options.work.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(run(options.work.resolve(), options), encoding="utf-8")
    else:
        with tempfile.TemporaryDirectory() as folder:
            PAGE.write_text(run(Path(folder).resolve(), options), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")


def run(work: Path, options: argparse.Namespace) -> str:
    make_environments(work)
    before = os.getloadavg()[0]
    fast = measure(fast_cases(work), options.rounds, work)
    slow = measure(slow_cases(work), options.slow_rounds, work)
    compiled = compiled_section(work, options)
    return page(work, fast, slow, compiled, before)


# environments


def make_environments(work: Path) -> None:
    """What is measured is what a user gets: the project installed as a wheel into an environment of its own."""
    make_venv(work / "tool", str(ROOT), fresh=True)
    make_venv(work / "target", f"torch=={TORCH}")
    make_venv(work / "env-doctor", "env-doctor")
    # env-doctor examines the environment it is installed in: show it the same torch
    (site(work / "env-doctor") / "target.pth").write_text(f"{site(work / 'target')}\n", encoding="utf-8")
    crowd(work / "crowded", site(work / "target"))
    for folder in (work / "home", work / "empty", work / "venvs", work / "big"):
        folder.mkdir(exist_ok=True)
    for number in range(VENVS):
        bare_venv(work / "venvs" / (f"venv{number}" if number else ".venv"))
    for folder_number in range(BIG_FOLDER[0]):
        folder = work / "big" / f"folder{folder_number}"
        folder.mkdir(exist_ok=True)
        for number in range(BIG_FOLDER[1]):
            (folder / f"file{number}.py").touch()


def make_cuda(work: Path, *, download: bool) -> bool:
    """A target with a CUDA torch and three compiled extensions; False where there is none."""
    folder = work / "cuda"
    if not folder.exists() and download:
        try:
            make_venv(folder, *CUDA_TORCH)
        except subprocess.CalledProcessError:
            shutil.rmtree(folder)
    if not folder.exists():
        return False
    source, name, info = STAND_IN
    packages = site(folder)
    if not (packages / info).exists():
        shutil.copy(packages / source, packages / name)
        (packages / "flash_attn").mkdir()
        (packages / "flash_attn/__init__.py").touch()
        (packages / info).mkdir()
        (packages / info / "METADATA").write_text("Metadata-Version: 2.1\nName: flash_attn\nVersion: 2.8.3\n")
    return True


def make_venv(folder: Path, *requirements: str, fresh: bool = False) -> None:
    if folder.exists() and not fresh:
        return
    bare_venv(folder, "--clear")
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *requirements], check=True)


def bare_venv(folder: Path, *options: str) -> None:
    if not folder.exists() or options:
        without = [] if options else ["--without-pip"]
        subprocess.run([sys.executable, "-m", "venv", *options, *without, str(folder)], check=True)


def site(venv: Path) -> Path:
    return next(venv.glob("lib/python3*/site-packages"))


def crowd(venv: Path, source: Path) -> None:
    """An environment with the same torch and many more packages; linked, because torch is large."""
    if venv.exists():
        return
    bare_venv(venv)
    for entry in source.iterdir():
        link = site(venv) / entry.name
        if not link.exists():
            link.symlink_to(entry)
    for number in range(EXTRA_PACKAGES):
        info = site(venv) / f"package_{number:03}-1.{number}.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: package-{number:03}\nVersion: 1.{number}.0\n")
        (info / "RECORD").touch()


# measuring


def fast_cases(work: Path) -> list[Case]:
    tool, empty = work / "tool/bin", work / "empty"
    check = [str(tool / "attn-doctor"), "check", "--venv"]
    target, python = str(work / "target"), str(tool / "python")
    return [
        Case("python -c pass", [python, "-c", "pass"], empty),
        Case(IMPORTS, [python, "-c", "import typer, rich"], empty),
        Case('python -c "import typer, rich.console"', [python, "-c", "import typer, rich.console"], empty),
        Case(CHECK, [*check, target], empty),
        Case(f"{CHECK}, on a terminal with colours", [*check, target], empty, terminal=True),
        Case(f"{CHECK} --format json", [*check, target, "--format", "json"], empty),
        Case(f"{CHECK}, {EXTRA_PACKAGES} more packages in the target", [*check, str(work / "crowded")], empty),
        Case(f"{CHECK}, in a folder with {VENVS} venvs", [*check, target], work / "venvs"),
        Case(f"{CHECK}, in a folder with {BIG_FOLDER[0] * BIG_FOLDER[1]:,} files", [*check, target], work / "big"),
    ]


def slow_cases(work: Path) -> list[Case]:
    check = next(case for case in fast_cases(work) if case.name == CHECK)
    collect = [str(work / "target/bin/python"), "-m", "torch.utils.collect_env"]
    return [
        check,
        Case("python -m torch.utils.collect_env", collect, work / "empty"),
        Case("env-doctor check", [str(work / "env-doctor/bin/env-doctor"), "check"], work / "empty"),
    ]


def warm_cases(work: Path) -> list[Case]:
    """The target with compiled extensions: its GPU code remembered, and read anew."""
    names = (IMPORTS, 'python -c "import typer, rich.console"')
    check = [str(work / "tool/bin/attn-doctor"), "check", "--venv", str(work / "cuda")]
    return [
        *(case for case in fast_cases(work) if case.name in names),
        Case(CHECK, check, work / "empty"),
        Case(f"{CHECK}, nothing remembered", check, work / "empty", env=NO_CACHE),
    ]


def cold_cases(work: Path, *, everything: bool) -> list[Case]:
    """The same, each time from the disk."""
    forget = forget_everything if everything else partial(forget_files, files_of(site(work / "cuda")))
    return [case._replace(before=forget) for case in warm_cases(work) if case.name.startswith(CHECK)]


def files_of(folder: Path) -> list[str]:
    walk = os.walk(folder, followlinks=True)
    return sorted({os.path.realpath(os.path.join(path, name)) for path, _, names in walk for name in names})


def forget_files(files: Sequence[str]) -> None:
    """Drop what memory holds of these files; what is mapped or not yet written stays."""
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def forget_everything() -> None:
    """Drop all files, names and inodes from the memory of the whole machine; needs root."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")


def measure(cases: Sequence[Case], rounds: int, work: Path) -> dict[str, list[Sample]]:
    """Every case once a round; each round starts one case further on, so that none always follows the same one."""
    for case in cases:
        for _ in range(WARM_UPS):
            sample(case, work)
    samples: dict[str, list[Sample]] = {case.name: [] for case in cases}
    for number in range(rounds):
        shift = number % len(cases)
        for case in (*cases[shift:], *cases[:shift]):
            samples[case.name].append(sample(case, work))
    return samples


def sample(case: Case, work: Path) -> Sample:
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(work / "home"), "LC_ALL": "C.UTF-8"}
    environment |= case.env | ({"TERM": "xterm-256color"} if case.terminal else {})
    if case.before:
        case.before()
    with (work / "output").open("wb") as output, terminal(output) if case.terminal else nullcontext(output) as stream:
        started = time.perf_counter()
        process = subprocess.Popen(case.command, stdout=stream, stderr=output, cwd=case.folder, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    said = (work / "output").read_text(encoding="utf-8", errors="replace")
    if process.returncode not in (0, 1) or (not said and "check" in case.command):
        raise SystemExit(f"{case.name}: exit code {process.returncode}\n{said}")
    return Sample(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * MIB_PER_KIB)


@contextmanager
def terminal(output: BinaryIO) -> Iterator[int]:
    """A terminal to write to; what is written goes on to the file."""
    ours, theirs = pty.openpty()

    def drain() -> None:
        with suppress(OSError):  # how the last read of a terminal ends
            while data := os.read(ours, 1 << 16):
                output.write(data)

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        yield theirs
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)


# the page

PAGE_TEXT = """\
# What a check costs

Whole processes, from start to exit, on files that are in memory already. Medians with quartiles; `x check` is the ratio
of wall time to `attn-doctor check` within the same round. Made by `make benchmark`.

{fast}

Beside tools that answer a neighbouring question. collect_env imports torch. env-doctor looks at more than attention,
and asks the network for newer tables at every run{network}.

{slow}

{compiled}
## Where

{where}

## What is not in it

- The first run after an installation, which compiles Python files.
- {driver}
- Peak memory below {floor} MiB does not show: a process begins with the peak of the one that started it.
"""


COMPILED_TEXT = """\
## With compiled extensions

The target has {torch}, its CUDA libraries, and three extensions: both
of xFormers, and a copy of the larger one ({size:.0f} MB) under flash-attn's name. Their symbols are looked up in
torch's libraries, their GPU code is read or [remembered](adr/0006-remembered-gpu-code.md).

In memory already, {warm_rounds} rounds:

{warm}

From the disk, {cold_rounds} rounds, with {forgotten} dropped from memory before each:

{cold}

{date}; load average {before:.1f} before, {after:.1f} at the end; the disk reads ahead {ahead}.

"""


def compiled_section(work: Path, options: argparse.Namespace) -> str:
    if not make_cuda(work, download=options.cuda):
        return "A target with a CUDA torch and compiled extensions was not measured: its wheels were not there.\n"
    before = os.getloadavg()[0]
    warm = measure(warm_cases(work), options.rounds, work)
    os.sync()
    cold = measure(cold_cases(work, everything=options.cold), options.slow_rounds, work)
    return COMPILED_TEXT.format(
        torch=versions(work / "cuda", "torch", "xformers"),
        size=(site(work / "cuda") / STAND_IN[1]).stat().st_size / 1e6,
        warm=table(warm, IMPORTS, "import"),
        cold=table(cold, CHECK),
        warm_rounds=options.rounds,
        cold_rounds=options.slow_rounds,
        forgotten="all files of the machine" if options.cold else "all files of the target, but not attn-doctor's own,",
        date=dt.datetime.now(tz=dt.timezone.utc).date(),
        before=before,
        after=os.getloadavg()[0],
        ahead=read_ahead(work),
    )


def read_ahead(folder: Path) -> str:
    """How much the kernel reads ahead on the disk of a folder: what a cold figure depends on."""
    device = os.stat(folder).st_dev
    queue = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    for place in (queue, queue.resolve().parent):
        with suppress(OSError):
            return f"{(place / 'queue/read_ahead_kb').read_text(encoding='ascii').strip()} KiB"
    return "an unknown amount"


def page(
    work: Path, fast: dict[str, list[Sample]], slow: dict[str, list[Sample]], compiled: str, load_before: float
) -> str:
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MIB_PER_KIB
    return PAGE_TEXT.format(
        fast=table(fast, CHECK),
        slow=table(slow, CHECK),
        compiled=compiled,
        where="\n".join(f"- {line}" for line in where(work, fast, slow, load_before)),
        floor=f"{floor:.0f}",
        driver=driver_note(work),
        network=network_note(work),
    )


def table(samples: dict[str, list[Sample]], base: str, label: str = "check") -> str:
    lines = [f"| process | wall ms | CPU ms | peak MiB | x {label} |", "| --- | --- | --- | --- | --- |"]
    for name, runs in samples.items():
        ratios = [one.wall_s / other.wall_s for one, other in zip(runs, samples[base], strict=True)]
        cells = (
            f"`{name}`" if "," not in name or "import" in name else "`{}`,{}".format(*name.split(",", 1)),
            spread([run.wall_s * 1000 for run in runs], 0),
            spread([run.cpu_s * 1000 for run in runs], 0),
            f"{median(run.peak_mib for run in runs):.0f}",
            "1" if name == base else spread(ratios, 2),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: Sequence[float], digits: int) -> str:
    """'61 (59 to 63)': the median and the quartiles."""
    low, middle, high = quantiles(values, n=4)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def where(work: Path, fast: dict[str, list[Sample]], slow: dict[str, list[Sample]], load_before: float) -> list[str]:
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    rounds = " and ".join(str(len(next(iter(samples.values())))) for samples in (fast, slow))
    load = f"load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} at the end, of which 1 is the benchmark"
    return [
        f"{processor()}, {len(os.sched_getaffinity(0))} cores, {system}",
        f"Python {platform.python_version()}, {versions(work / 'tool', 'attn-doctor', 'typer', 'rich', 'msgspec')}",
        f"target: {versions(work / 'target', 'torch')}; beside it: {versions(work / 'env-doctor', 'env-doctor')}",
        f"{dt.datetime.now(tz=dt.timezone.utc).date()}, {rounds} rounds; {load}",
    ]


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def versions(venv: Path, *names: str) -> str:
    ask = "import importlib.metadata as m,json,sys;print(json.dumps([m.version(name) for name in sys.argv[1:]]))"
    done = subprocess.run([str(venv / "bin/python"), "-c", ask, *names], capture_output=True, check=True)
    return ", ".join(f"{name} {version}" for name, version in zip(names, json.loads(done.stdout), strict=True))


def network_note(work: Path) -> str:
    """Whether env-doctor's time holds a download, or only finding out that there is no network."""
    sample(slow_cases(work)[-1], work)
    offline = "Offline" in (work / "output").read_text(encoding="utf-8", errors="replace")
    return "; there was none, and it found that out at once" if offline else ", whose time counts"


def driver_note(work: Path) -> str:
    """Whether the child that asks NVML ran: it is the one part whose cost depends on the machine's driver."""
    command = [str(work / "tool/bin/attn-doctor"), "facts", "--venv", str(work / "target")]
    facts = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    if facts["readings"]["driver"]["status"] == "absent":
        return "Asking an NVIDIA driver: there is none on this machine, so the child that asks was not started."
    return "A cold NVIDIA driver: it had answered before the first round."


if __name__ == "__main__":
    if shutil.which("env") is None or not hasattr(os, "wait4"):
        raise SystemExit("the benchmark needs a POSIX system: it asks wait4 for CPU time and memory")
    main()
