"""The resolver against an independent search through the raw rows, on every cell of the official matrix.

A cell: torch build x Python x C library x GPUs, each alone and a part of the pairs. In every cell the set of official
files that load has to be the same.
"""

from __future__ import annotations

import ast
import itertools
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

import brute_force
from attn_doctor.knowledge import torch_builds
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import Wheel, wheels
from attn_doctor.wheels.resolve import Key, best_first, fits, fitting
from brute_force import Cell, Row

if TYPE_CHECKING:
    from attn_doctor.knowledge.torch_builds import Build

MINORS = tuple(f"2.{minor}" for minor in range(16))
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t", "3.15")
GLIBCS = ("2.17", "2.28", "2.31", "2.34", "2.35", "2.39")
SYSTEMS = (
    *(
        ("linux", arch, libc)
        for arch in ("x86_64", "aarch64")
        for libc in (*(f"glibc-{one}" for one in GLIBCS), "musl-1.2")
    ),
    ("windows", "x86_64", None),
)
GPUS = ("7.0", "7.5", "8.0", "8.6", "8.7", "8.9", "9.0", "10.0", "10.3", "11.0", "12.0", "12.1")
ALONE = ((), *((gpu,) for gpu in GPUS))
PAIRS = tuple(itertools.combinations(GPUS, 2))
EACH = 6  # of the pairs one in so many in a cell, other ones in the next: all of them would take minutes
# everything that `fits` can read of a file: files that agree in it are judged together
JUDGED_BY = (
    *("package", "platform", "python_tag", "abi_tag", "requires_python", "needs_glibc"),
    *("torch", "cuda", "cxx11abi", "gpu_code", "gpu_limit"),
)

Name = tuple[str, str | None]


def builds(os: str, arch: str, minor: str) -> list[Build]:
    """The CUDA builds of torch that were published for that system."""
    return [one for one in torch_builds.builds(os, arch) if one.cuda and one.torch.startswith(f"{minor}.")]


def cells(minor: str) -> Iterator[Cell]:
    for os, arch, libc in SYSTEMS:
        for place, (build, python) in enumerate(itertools.product(builds(os, arch, minor), PYTHONS)):
            abi = os == "linux" and brute_force.torch_has_new_abi(build.torch, str(build.cuda), arch)
            for gpus in (*ALONE, *PAIRS[place % EACH :: EACH]):
                yield Cell(os, arch, libc, python, build.torch, build.cuda, abi, gpus)


def key(cell: Cell) -> Key:
    return Key(
        os=cell.os,
        arch=cell.arch,
        libc=cell.libc,
        python=cell.python,
        torch=f"{cell.torch}+cu{(cell.cuda or '').replace('.', '')}" if cell.cuda else f"{cell.torch}+cpu",
        torch_cuda=cell.cuda,
        torch_release=True,
        cxx11abi=cell.new_abi,
        capabilities=cell.gpus,
    )


def of_row(row: Row) -> Name:
    return row["filename"], row.get("tag")


def of_wheel(wheel: Wheel) -> Name:
    return wheel.filename, wheel.tag


def official(minor: str) -> list[Row]:
    return [row for row in brute_force.rows("flash_attn_official") if row["torch"] == minor]


def kinds(minor: str) -> list[list[Wheel]]:
    """The official files of a torch minor, those together that `fits` cannot tell apart.

    A catalogue that was put together later may hold more, of which the rows know nothing.
    """
    published = {of_row(row) for row in official(minor)}
    together: dict[tuple[object, ...], list[Wheel]] = defaultdict(list)
    for wheel in wheels("flash-attn", minor):
        if wheel.source == "fa-official" and of_wheel(wheel) in published:
            together[tuple(getattr(wheel, name) for name in JUDGED_BY)].append(wheel)
    return list(together.values())


class BruteForce:
    """What the raw rows say of a cell. A row is asked once for each Python, each libc, each build, each GPU."""

    def __init__(self, listed: list[Row]) -> None:
        self.listed = listed
        self.known: dict[tuple[object, ...], frozenset[int]] = {}

    def loading(self, cell: Cell) -> frozenset[int]:
        asked = {
            ("system", cell.os, cell.arch, cell.libc): brute_force.system_agrees,
            ("python", cell.python): brute_force.python_agrees,
            ("torch", cell.torch, cell.cuda): brute_force.torch_agrees,
            ("abi", cell.new_abi): lambda row, new_abi: brute_force.abi_agrees(row, new_abi=new_abi),
            **{("gpu", gpu): brute_force.has_code for gpu in cell.gpus},
        }
        left: frozenset[int] | None = None
        for question, agrees in asked.items():
            if question not in self.known:
                numbered = enumerate(self.listed)
                self.known[question] = frozenset(at for at, row in numbered if agrees(row, *question[1:]))  # type: ignore[operator]
            left = self.known[question] if left is None else left & self.known[question]
            if not left:
                break
        return left or frozenset()


@pytest.mark.parametrize("minor", MINORS)
def test_every_cell_of_the_official_matrix(minor: str) -> None:
    listed, together = official(minor), kinds(minor)
    names = [of_row(row) for row in listed]
    assert sorted(names, key=str) == sorted((of_wheel(one) for kind in together for one in kind), key=str)
    where = {name: at for at, name in enumerate(names)}
    numbered = [(kind, frozenset(where[of_wheel(one)] for one in kind)) for kind in together]
    by_hand = BruteForce(listed)
    firsts: dict[tuple[object, ...], str] = {}
    for cell in cells(minor):
        machine = key(cell)
        wanted = by_hand.loading(cell)
        found: frozenset[int] = frozenset()
        chosen = [(kind, ours) for kind, ours in numbered if fits(kind[0], machine)]
        found = found.union(*(ours for _, ours in chosen))
        assert found == wanted, (cell, sorted(names[at] for at in found ^ wanted))
        if not wanted:
            continue
        asked = (cell.torch, cell.cuda, wanted)  # what the order depends on
        if asked not in firsts:
            firsts[asked] = best_first((one for kind, _ in chosen for one in kind), machine)[0].version
            assert firsts[asked] == brute_force.newest(listed[at] for at in wanted), cell


def test_how_many_cells_that_are() -> None:
    assert sum(1 for minor in MINORS for _ in cells(minor)) > 200_000
    pairs = {cell.gpus for cell in cells("2.6") if len(cell.gpus) > 1}
    assert pairs == set(PAIRS)


def test_where_torch_has_the_other_abi() -> None:
    """Distributions build old torch with the new ABI; nothing of a matrix is taken for granted."""
    met = 0
    for minor in MINORS:
        by_hand, together = BruteForce(official(minor)), kinds(minor)
        for cell in (one for one in cells(minor) if one.libc == "glibc-2.35" and one.gpus == ("8.0",)):
            other = cell._replace(new_abi=not cell.new_abi)
            wanted = {of_row(by_hand.listed[at]) for at in by_hand.loading(other)}
            machine = key(other)
            assert {of_wheel(one) for kind in together for one in kind if fits(kind[0], machine)} == wanted, other
            met += bool(wanted)
    assert met > 100


@pytest.mark.parametrize("minor", ["2.1", "2.6", "2.8", "2.9"])
def test_without_a_cuda_release_of_torch_no_cell_has_a_file(minor: str) -> None:
    together = kinds(minor)
    for cell in (one for one in cells(minor) if one.gpus == ("8.0",)):
        machine = key(cell)
        nightly = msgspec.structs.replace(machine, torch=f"{minor}.0.dev20250601+cu126", torch_release=False)
        for other in (key(cell._replace(cuda=None)), nightly, msgspec.structs.replace(machine, torch=None)):
            assert not any(fits(kind[0], other) for kind in together), other


# the whole resolver, as everybody calls it, on cells drawn from all of them


def drawn(minor: str, count: int) -> list[Cell]:
    """Some cells of a torch minor: half of them at random, half among those that have an official file."""
    chance = random.Random(minor)
    every = list(cells(minor))
    by_hand = BruteForce(official(minor))
    full = [cell for cell in every if by_hand.loading(cell)]
    return [*chance.sample(every, count), *chance.sample(full, min(count, len(full)))]


@pytest.mark.parametrize("minor", MINORS)
def test_the_resolver_as_a_whole(minor: str) -> None:
    listed = official(minor)
    published = {of_row(row) for row in listed}
    for cell in drawn(minor, 60):
        wanted = brute_force.loading(listed, cell)
        found = fitting("flash-attn", key(cell))
        upstream = [wheel for wheel in found if of_wheel(wheel) in published]
        assert {wheel.filename for wheel in upstream} == {row["filename"] for row in wanted}, cell
        assert len(upstream) == len({wheel.filename for wheel in upstream}), "a name comes once"
        if wanted:
            assert upstream[0].version == brute_force.newest(wanted), cell
        if any(sound(row) for row in wanted):
            assert found[0].source == "fa-official", f"upstream goes first: {cell}"
            # of two equal files the one whose name says what it is
            assert not upstream[0].label_lies, cell
        assert not any(wheel.version.startswith("1.") for wheel in found)


def sound(row: Row) -> bool:
    return row.get("conf") != "low" and ".dev" not in row.get("torch_full", "")


# other hosts: nothing is published on their GPU code and, of some, on their glibc, so those two are left open


def on_new_systems(minor: str) -> Iterator[Cell]:
    """One C library newer than any file asks for, and no GPU named."""
    systems = [(os, arch) for os, arch, libc in SYSTEMS if libc in ("glibc-2.39", None)]
    for (os, arch), python in itertools.product(systems, PYTHONS):
        for build in builds(os, arch, minor):
            abi = os == "linux" and brute_force.torch_has_new_abi(build.torch, str(build.cuda), arch)
            yield Cell(os, arch, "glibc-2.43" if os == "linux" else None, python, build.torch, build.cuda, abi, ())


@pytest.mark.parametrize(
    ("package", "raw"), [("flash-attn", "mjun0812"), ("flash-attn-3", "flash_attn_3"), ("xformers", "xformers_pypi")]
)
def test_community_and_package_index(package: str, raw: str) -> None:
    listed = [row for row in brute_force.rows(raw) if row["package"] == package and not row["version"].startswith("1.")]
    published = {of_row(row) for row in listed}
    met: set[str] = set()
    for minor in MINORS:
        near = [row for row in listed if row["torch"].startswith((">=", minor))]
        of_minor = [
            one for one in wheels(package, minor) if of_wheel(one) in published and one.source != "wildminder-list"
        ]
        for cell in on_new_systems(minor):
            machine = key(cell)
            names = {one.filename for one in of_minor if fits(one, machine)}
            wanted = {row["filename"] for row in brute_force.loading(near, cell)}
            assert names == wanted, (cell, sorted(names ^ wanted)[:4])
            met |= names
    assert len(met) > 0.9 * len({row["filename"] for row in listed if row.get("cuda")})


# the catalogue and the raw rows hold the same files


@pytest.mark.parametrize("raw", ["flash_attn_official", "mjun0812", "flash_attn_3", "xformers_pypi"])
def test_the_catalogue_holds_every_raw_row(raw: str) -> None:
    listed = brute_force.rows(raw)
    embedded = {
        (
            wheel.package,
            wheel.version,
            *of_wheel(wheel),
            wheel.source,
            wheel.torch,
            wheel.cuda,
            wheel.evidence,
            wheel.sha256,
        )
        for package in {row["package"] for row in listed}
        for wheel in wheels(package)
    }
    for row in listed:
        named = (row["package"], row["version"], *of_row(row), row["source"], row["torch"])
        assert (*named, row.get("cuda"), row["evidence"], row.get("sha256")) in embedded


@pytest.mark.parametrize(
    ("raw", "source"), [("flash_attn_official", "fa-official"), ("mjun0812", "mjun0812"), ("xformers_pypi", "pypi")]
)
def test_the_catalogue_has_no_name_of_these_sources_that_the_rows_lack(raw: str, source: str) -> None:
    """A catalogue that was put together later may have more, of releases that did not exist then."""
    listed = brute_force.rows(raw)
    published = {of_row(row) for row in listed}
    tags = {row.get("tag") for row in listed}
    for package in {row["package"] for row in listed}:
        for wheel in wheels(package):
            if wheel.source == source and wheel.tag in tags and wheel.as_of <= "2026-11-21":
                assert of_wheel(wheel) in published


def test_the_rows_are_all_there() -> None:
    counts = {"flash_attn_official": 5741, "mjun0812": 3567, "flash_attn_3": 118, "xformers_pypi": 178}
    assert {name: len(brute_force.rows(name)) for name in counts} == counts
    folder = Path(brute_force.ROWS)
    assert {file.name for file in folder.glob("*.xz")} == {f"{name}.jsonl.xz" for name in counts}
    assert sum(file.stat().st_size for file in folder.iterdir()) < 150_000


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_both_say_the_same_of_the_abi_of_torch(arch: str) -> None:
    for build in (one for minor in MINORS for one in builds("linux", arch, minor)):
        by_hand = brute_force.torch_has_new_abi(build.torch, str(build.cuda), arch)
        assert torch_builds.cxx11abi(build.torch, build.cuda, "linux", arch) is by_hand, build


def test_the_brute_force_uses_nothing_of_the_package() -> None:
    tree = ast.parse(Path(brute_force.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not any((name or "").startswith("attn_doctor") for name in imported)
    assert catalogue.as_of()
