"""Which published files load on a machine, worked out from the raw rows alone: no code of the package is used here.

Written from what upstream's build scripts and workflows say, row by row and without any index, to be compared with
the resolver. A file loads where all of this agrees: Python and ABI tag, operating system and processor, C library,
torch minor, CUDA major, the C++ ABI it really has, and machine code for every GPU.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]

ROWS = Path(__file__).parent / "wheels" / "rows"
UBUNTU_20 = (2, 31)  # its own glibc
UBUNTU_22 = (2, 32)  # the newest symbol that files built there ask for
OLD_MANYLINUX = {"1": (2, 5), "2010": (2, 12), "2014": (2, 17)}


class Cell(NamedTuple):
    """One machine."""

    os: str
    arch: str
    libc: str | None
    python: str
    torch: str
    cuda: str | None
    new_abi: bool
    gpus: tuple[str, ...]


@cache
def rows(name: str) -> tuple[Row, ...]:
    """The raw rows of one list."""
    with lzma.open(ROWS / f"{name}.jsonl.xz", "rt", encoding="utf-8") as file:
        return tuple(json.loads(line) for line in file)


def loading(listed: Iterable[Row], cell: Cell) -> list[Row]:
    """The rows whose files load there."""
    return [row for row in listed if loads(row, cell)]


def loads(row: Row, cell: Cell) -> bool:
    """One file, one machine."""
    return (
        system_agrees(row, cell.os, cell.arch, cell.libc)
        and python_agrees(row, cell.python)
        and torch_agrees(row, cell.torch, cell.cuda)
        and abi_agrees(row, new_abi=cell.new_abi)
        and all(has_code(row, gpu) for gpu in cell.gpus)
    )


def torch_has_new_abi(torch: str, cuda: str, arch: str) -> bool:
    """PyTorch's own Linux builds: the old one up to 2.5, in 2.6 by the build, the new one from 2.7 on."""
    minor = pair(torch)
    if minor == (2, 6):
        return arch == "aarch64" or cuda not in ("11.8", "12.4")
    return minor > (2, 6)


def system_agrees(row: Row, os: str, arch: str, libc: str | None) -> bool:
    """One of the platform tags is of this system; musl runs none."""
    if os == "windows":
        return row["plat"] == {"x86_64": "win_amd64"}.get(arch)
    if os != "linux" or libc is None or not libc.startswith("glibc-"):
        return False
    tags = [tag for tag in row["plat"].split(".") if tag.endswith(f"_{arch}") and "linux" in tag]
    return any(pair(libc[6:]) >= glibc_of(row, tag) for tag in tags)


def glibc_of(row: Row, tag: str) -> tuple[int, int]:
    """What the tag promises; a plain linux tag promises nothing, and there the machine it was built on decides."""
    said = re.match(r"manylinux_(\d+)_(\d+)_", tag)
    if said:
        return int(said[1]), int(said[2])
    old = re.match(r"manylinux(1|2010|2014)_", tag)
    if old:
        return OLD_MANYLINUX[old[1]]
    if row["source"] == "fa-official":
        return UBUNTU_20 if row.get("built_on") == "ubuntu-20.04" else UBUNTU_22
    return UBUNTU_22 if row["source"] == "mjun0812" else (0, 0)


def python_agrees(row: Row, python: str) -> bool:
    """cp312-cp312 is for 3.12 alone, cp313-cp313t for 3.13t alone, cp39-abi3 for 3.9 and later with the GIL."""
    named = python.replace(".", "")
    if row["abi"] == "none":
        return pair(python.rstrip("t")) >= tag_pair(row["py"])
    if row["abi"] == "abi3":
        return not named.endswith("t") and pair(python) >= tag_pair(row["py"])
    return row["abi"] == f"cp{named}" and row["py"] == f"cp{named.rstrip('t')}"


def torch_agrees(row: Row, torch: str, cuda: str | None) -> bool:
    """Torch minor, or what the package pins; the CUDA major, of a torch that has one."""
    if cuda is None or row.get("cuda") is None or row["cuda"][2:4] != cuda.split(".")[0]:
        return False
    wanted = row["torch"]
    if wanted.startswith(">="):
        return pair(torch) >= pair(wanted[2:])
    if row["package"] == "xformers":
        return bool(wanted == torch)
    return pair(wanted) == pair(torch)


def abi_agrees(row: Row, *, new_abi: bool) -> bool:
    """What the file has, not what its name says; on Windows there is one only."""
    if row["plat"].startswith("win"):
        return True
    has = row.get("cxx11abi_real", row["cxx11abi"])
    if has is None:  # silent: built with the torch of the package index
        has = torch_has_new_abi(row["torch"].removeprefix(">="), f"{row['cuda'][2:4]}.{row['cuda'][4:]}", "x86_64")
    return bool(has == new_abi)


def has_code(row: Row, gpu: str) -> bool:
    """A cubin runs on its own major, on an equal or higher minor."""
    major, minor = pair(gpu)
    return any(major == built and minor >= least for built, least in code_of(row))


def code_of(row: Row) -> tuple[tuple[int, int], ...]:
    """The GPU code in an official file of the second series: by release, and by the nvcc that compiled it."""
    release = version(row["version"])[0]
    nvcc = row.get("nvcc")
    if release >= (2, 8, 0):
        return (8, 0), (9, 0), (10, 0), (12, 0)
    if nvcc is None or pair(nvcc) >= (11, 8):
        return (8, 0), (9, 0)
    return ((8, 0),)


def newest(listed: Iterable[Row]) -> str:
    """The newest version among rows; those that may be missing, or stem from an unreleased torch, only if alone."""
    found = list(listed)
    sound = [row for row in found if row.get("conf") != "low" and ".dev" not in row.get("torch_full", "")]
    return max((row["version"] for row in sound or found), key=version)


def version(text: str) -> tuple[tuple[int, ...], int]:
    """'2.7.4.post1' -> ((2, 7, 4), 1)."""
    release, _, post = text.partition(".post")
    return tuple(int(part) for part in release.split(".")), int(post or 0)


def pair(text: str) -> tuple[int, int]:
    """'2.10.0+cu128' -> (2, 10)."""
    one, two = re.match(r"(\d+)\.(\d+)", text).groups()  # type: ignore[union-attr]
    return int(one), int(two)


def tag_pair(tag: str) -> tuple[int, int]:
    """'cp39' -> (3, 9)."""
    return int(tag[2]), int(tag[3:])
