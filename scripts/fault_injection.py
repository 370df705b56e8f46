"""Installs and rollbacks that are ended where nobody expects it, by the hundred; the figures go into the docs.

python scripts/fault_injection.py                 all of it, some twenty minutes; prints the table
python scripts/fault_injection.py --write         and fills it into docs/transactions.md
python scripts/fault_injection.py --part kills    one part: kills, acts, interrupts, downloads, disk, rest
python scripts/fault_injection.py --seed 7 --count 20 --where /dev/shm
python scripts/fault_injection.py --kind uv       with one installer; two calls may run side by side
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import msgspec

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
PAGE = ROOT / "docs" / "transactions.md"
BLOCK = re.compile(r"<!-- figures:begin -->\n.*?<!-- figures:end -->", re.DOTALL)
PAGE_BYTES = 4096
CHANCE = Random()  # noqa: S311 - chosen moments, no secrets
HEAD = "| what happened | installer | tried | hit | survived | put back equal | median | worst |\n"
HEAD += "|---|---|---|---|---|---|---|---|\n"
KINDS = ("pip", "uv")


def tool(name: str) -> Any:
    """What the tests use too."""
    return import_module(f"execute.{name}")


class Row:
    """One line of the table."""

    def __init__(self, title: str, kind: str) -> None:
        self.title, self.kind = title, kind
        self.ended: list[Any] = []

    def add(self, one: Any, note: str = "") -> None:
        """Another fault; one that was not survived is shown at once."""
        self.ended.append(one)
        if not one.equal or not survived(one):
            print(f"! {self.title} {note}: {one}", file=sys.stderr)

    def line(self) -> str:
        """As Markdown."""
        took = [one.put_back_s for one in self.ended if one.hit] or [0.0]
        good = sum(survived(one) for one in self.ended)
        equal = sum(one.equal for one in self.ended)
        hit = sum(one.hit for one in self.ended)
        times = f"{statistics.median(took):.2f} s | {max(took):.2f} s"
        return f"| {self.title} | {self.kind} | {len(self.ended)} | {hit} | {good} | {equal} | {times} |"


def survived(one: Any) -> bool:
    """The next call knew what to do: it put back, or there was nothing to put back."""
    return one.code == 0 or (one.code == 1 and "nothing to put back" in " ".join(one.said.split()))


def honest(one: Any, code: int) -> Any:
    """The exit code of the install that failed has to say that nothing was changed."""
    return one if code in (0, 1) else msgspec.structs.replace(one, equal=False)


class Bench:
    """A workshop for each installer, and the moments to begin from."""

    def __init__(self, folder: Path, kind: str) -> None:
        workshop, faults = tool("workshop"), tool("faults")
        self.kind, self.shop = kind, workshop.Market()
        library = folder / "library"
        library.mkdir(parents=True)
        (folder / "disk").mkdir()
        import_module("nvml_library").build(library)
        self.target = workshop.make_target(folder / "disk" / "an environment", kind)
        self.workshop = workshop.Workshop(folder, self.target, self.shop, library)
        self.shop.add(workshop.triton(folder))
        self.before = self.workshop.fingerprint()
        self.fresh = faults.Moment(self.workshop, "fresh")
        began = time.monotonic()
        ran = self.workshop.install()
        self.install_s = time.monotonic() - began
        if ran.code:
            raise SystemExit(f"the install itself fails: {ran}")
        self.done = faults.Moment(self.workshop, "done")
        began = time.monotonic()
        self.workshop.call("rollback", "--yes")
        self.rollback_s = time.monotonic() - began


def until_hit(row: Row, count: int) -> Iterator[int]:
    """So often that so many processes were hit while they ran."""
    wanted = sum(one.hit for one in row.ended) + count
    for number in range(4 * count):
        if sum(one.hit for one in row.ended) >= wanted:
            return
        yield number


def kills(bench: Bench, count: int, rows: dict[str, Row]) -> None:
    """At random moments, by kill -9."""
    faults = tool("faults")
    install = bench.workshop.command("install", "triton", "--yes")
    rollback = bench.workshop.command("rollback", "--yes")
    for _ in until_hit(rows["install"], count):
        bench.fresh.again()
        hit = faults.hit(bench.workshop, install, CHANCE.uniform(0.05, bench.install_s), "kill")
        rows["install"].add(faults.put_back(bench.workshop, bench.before, hit))
    for _ in until_hit(rows["rollback"], count):
        bench.done.again()
        hit = faults.hit(bench.workshop, rollback, CHANCE.uniform(0.01, bench.rollback_s), "kill")
        rows["rollback"].add(faults.put_back(bench.workshop, bench.before, hit))
    for _ in until_hit(rows["twice"], count // 4):
        bench.fresh.again()
        hit = faults.hit(bench.workshop, install, CHANCE.uniform(0.3, 0.9) * bench.install_s, "kill")
        again = faults.hit(bench.workshop, rollback, CHANCE.uniform(0.01, bench.rollback_s), "kill")
        rows["twice"].add(faults.put_back(bench.workshop, bench.before, hit and again))


def interrupts(bench: Bench, count: int, rows: dict[str, Row]) -> None:
    """Ctrl-C: here attn-doctor itself puts back, and the next call finds nothing to do."""
    faults = tool("faults")
    install = bench.workshop.command("install", "triton", "--yes")
    for _ in until_hit(rows["interrupts"], max(1, count // 4)):
        bench.fresh.again()
        hit = faults.hit(bench.workshop, install, CHANCE.uniform(0.2, bench.install_s), "interrupt")
        rows["interrupts"].add(faults.put_back(bench.workshop, bench.before, hit))


def acts(bench: Bench, _count: int, rows: dict[str, Row]) -> None:
    """By kill -9 before the first act on the file system, before the second, and so on to the last."""
    faults = tool("faults")

    def each(moment: Any, *arguments: str) -> Iterator[int]:
        for number in range(1000):
            moment.again()
            if not faults.before_act(bench.workshop, number, *arguments):
                return
            yield number

    for number in each(bench.fresh, "install", "triton", "--yes"):
        rows["acts of install"].add(faults.put_back(bench.workshop, bench.before, was_hit=True), f"{number}")
    for number in each(bench.done, "rollback", "--yes"):
        rows["acts of rollback"].add(faults.put_back(bench.workshop, bench.before, was_hit=True), f"{number}")
    bench.fresh.again()
    install = bench.workshop.command("install", "triton", "--yes")
    faults.hit(bench.workshop, install, 0.7 * bench.install_s, "kill")
    halfway = faults.Moment(bench.workshop, "halfway")
    for number in each(halfway, "rollback", "--yes"):
        rows["acts of putting back"].add(faults.put_back(bench.workshop, bench.before, was_hit=True), f"{number}")


def downloads(bench: Bench, _count: int, rows: dict[str, Row]) -> None:
    """The file is missing, cut, stalls, or is not the one that was promised; pip itself fails half-way."""
    faults, workshop = tool("faults"), tool("workshop")
    names = [name for name in bench.shop.files if name.startswith("triton")]
    good = dict(bench.shop.files)
    for mood in ("missing", "cut", "hang", "wrong digest", "half-way"):
        bench.fresh.again()
        bench.workshop.forget_downloads()
        bench.shop.moods = dict.fromkeys(names, mood)
        if mood == "half-way":
            bench.shop.files[names[0]] = workshop.fails_half_way(bench.workshop.folder)
        code = bench.workshop.install().code
        bench.shop.moods, bench.shop.files = {}, dict(good)
        one = faults.put_back(bench.workshop, bench.before, was_hit=code == 1)
        rows["downloads"].add(honest(one, code), f"{bench.kind} {mood}, {code}")


def disk(bench: Bench, _count: int, rows: dict[str, Row]) -> None:
    """A file system that is full before the installer is done: that of the target, that of the journal."""
    faults = tool("faults")
    fulls = [(bench.target.parent, pages) for pages in (0, 1, 8, 20, 40)]
    fulls += [(bench.workshop.home / "state", pages) for pages in range(1, 16)]
    for folder, pages in fulls:
        bench.fresh.again()
        with faults.small_disk(folder, pages * PAGE_BYTES) as mounted:
            if not mounted:
                print("no file system can be mounted here: the full disk is left out", file=sys.stderr)
                return
            code = bench.workshop.install().code
            one = faults.put_back(bench.workshop, bench.before, was_hit=code == 1)
            rows["disk"].add(honest(one, code), f"{folder.name} {pages}, {code}")


def rest(bench: Bench, _count: int, rows: dict[str, Row]) -> None:
    """A file that is immutable, two at once, a clock that was set back, a journal cut at every byte."""
    faults = tool("faults")
    bench.fresh.again()
    with faults.immutable(bench.workshop.site / "bystander.py") as done:
        if done:
            code = bench.workshop.install().code
            rows["immutable"].add(faults.put_back(bench.workshop, bench.before, was_hit=code == 1))
    for _ in range(5):
        bench.fresh.again()
        codes = faults.two_at_once(bench.workshop)
        one = faults.put_back(bench.workshop, bench.before, was_hit=sorted(codes) == [0, 1])
        rows["two"].add(one, f"{codes}")
    bench.done.again()
    faults.from_the_future(bench.workshop)
    rows["clock"].add(faults.put_back(bench.workshop, bench.before, was_hit=True))


PARTS: dict[str, Callable[[Bench, int, dict[str, Row]], None]] = {
    "kills": kills,
    "acts": acts,
    "interrupts": interrupts,
    "downloads": downloads,
    "disk": disk,
    "rest": rest,
}
ROWS = {
    "install": "`kill -9` at a random moment of an install",
    "rollback": "`kill -9` at a random moment of a rollback",
    "twice": "`kill -9` of an install, then of the call that puts it back",
    "acts of install": "`kill -9` before each act of an install on the file system",
    "acts of rollback": "before each act of a rollback",
    "acts of putting back": "before each act of putting a killed install back",
    "interrupts": "Ctrl-C at a random moment of an install",
    "downloads": "the file missing, cut, stalled, with another digest; the installer failing half-way",
    "disk": "a full disk, under the target and under the journal",
    "immutable": "an immutable file in the environment",
    "two": "two installs at once: one is done, the other refused",
    "clock": "a journal from the future: the clock was set back",
}


def table(every: dict[str, dict[str, Row]]) -> str:
    """As it stands in the docs: what was done with pip beside the same with uv."""
    rows = [of_kind[name] for name in ROWS for of_kind in every.values()]
    return HEAD + "\n".join(row.line() for row in rows if row.ended) + "\n"


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", action="append", choices=[*PARTS], default=[])
    parser.add_argument("--kind", choices=KINDS, help="only with this installer")
    parser.add_argument("--count", type=int, default=100, help="kills for each installer")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--where", help="the folder to work in")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    CHANCE.seed(given.seed)
    kinds = [given.kind] if given.kind else KINDS
    every = {kind: {name: Row(title, kind) for name, title in ROWS.items()} for kind in kinds}
    folder = Path(tempfile.mkdtemp(prefix="faults-", dir=given.where))
    try:
        for kind, rows in every.items():
            bench = Bench(folder / f"with {kind}", kind)
            for part in given.part or PARTS:
                PARTS[part](bench, given.count, rows)
                print(f"{kind} {part} done; so far:\n{table(every)}", file=sys.stderr, flush=True)
            bench.shop.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(table(every))
    if given.write:
        text = PAGE.read_text(encoding="utf-8")
        block = f"<!-- figures:begin -->\n{table(every)}<!-- figures:end -->"
        PAGE.write_text(BLOCK.sub(lambda _: block, text), encoding="utf-8")


if __name__ == "__main__":
    if sys.platform != "linux" or shutil.which("cc") is None:
        sys.exit("this needs Linux and a C compiler")
    main()
