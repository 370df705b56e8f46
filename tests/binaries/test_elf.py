"""The ELF reader: what real files say, and that no file whatsoever makes it fail otherwise than by NotReadable."""

from __future__ import annotations

import mmap
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_doctor.machine.binaries.elf import Elf, NotReadable, gnu_hash, sysv_hash
from compiled import build, needs_compiler, rpath

SOURCE = """
#include <string>
#include <stdexcept>
namespace at { void one(int); std::string two(const std::string&); }
extern "C" __attribute__((weak)) void perhaps();
extern "C" int shown(int x) { at::one(x); if (perhaps) perhaps(); return at::two("a").size(); }
static int hidden() { return 7; }
extern "C" int also_shown() { if (hidden() > 8) throw std::runtime_error("x"); return 1; }
"""
NAMES = ("shown", "also_shown", "hidden", "perhaps", "_ZN2at3oneEi", "nothing", "")


@pytest.fixture(scope="module", params=["gnu", "sysv", "both"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("elf") / "libmade.so.3"
    flags = (f"-Wl,--hash-style={request.param}", rpath("$ORIGIN/a", "/b"), "-Wl,--no-as-needed", "-lm")
    return build(path, SOURCE, *flags, "-Wl,-soname,libmade.so.3")


def everything(data: Any) -> list[Any]:
    """Ask for all there is; a NotReadable of one part is an answer like another."""
    try:
        elf = Elf(data)
    except NotReadable as error:
        return [error.reason]
    asked = [
        lambda: elf.sections,
        lambda: elf.section(".nv_fatbin"),
        lambda: elf.section(".text"),
        lambda: (elf.needed, elf.soname, elf.rpath, elf.runpath),
        lambda: elf.undefined,
        lambda: elf.required_versions,
        lambda: elf.defined_versions,
        *(lambda name=name: elf.defines(name) for name in NAMES),
    ]
    return [_answer(ask) for ask in asked]


def _answer(ask: Any) -> Any:
    try:
        return ask()
    except NotReadable as error:
        return error.reason


@needs_compiler
def test_what_the_linker_wrote_is_read(library: Path) -> None:
    elf = Elf(library.read_bytes())
    assert elf.soname == "libmade.so.3"
    assert elf.rpath == ("$ORIGIN/a", "/b")
    assert elf.runpath == ()
    assert {"libstdc++.so.6", "libm.so.6", "libc.so.6"} <= set(elf.needed)
    assert b"_ZN2at3oneEi" in elf.undefined.strong
    assert b"perhaps" in elf.undefined.weak
    assert b"perhaps" not in elf.undefined.strong
    assert [name for name in NAMES if elf.defines(name)] == ["shown", "also_shown"]
    assert any(name.startswith("GLIBCXX_3.4") for name in elf.required_versions["libstdc++.so.6"])
    assert elf.section(".text")
    assert elf.section(".nv_fatbin") is None


@needs_compiler
def test_symbols_are_those_that_nm_lists(library: Path) -> None:
    elf = Elf(library.read_bytes())
    listed = subprocess.run(["nm", "-D", str(library)], capture_output=True, text=True, check=True).stdout
    rows = [line.split()[-2:] for line in listed.splitlines()]
    kinds = {name.partition("@")[0]: kind for kind, name in rows}
    assert {name.decode() for name in elf.undefined.strong} == {name for name, kind in kinds.items() if kind == "U"}
    assert {name.decode() for name in elf.undefined.weak} == {name for name, kind in kinds.items() if kind in "wv"}
    for name, kind in kinds.items():
        assert elf.defines(name) == (kind not in "Uwv")


@needs_compiler
def test_a_stripped_file_reads_from_its_segments(library: Path) -> None:
    data = bytearray(library.read_bytes())
    full = Elf(bytes(data))
    data[40:48] = bytes(8)  # e_shoff
    data[60:62] = bytes(2)  # e_shnum
    elf = Elf(bytes(data))
    assert elf.sections == ()
    assert (elf.needed, elf.soname, elf.undefined) == (full.needed, full.soname, full.undefined)
    assert elf.defines("shown")


@needs_compiler
def test_a_mapped_file_reads_like_its_bytes(library: Path) -> None:
    with library.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    assert everything(mapped) == everything(library.read_bytes())


@needs_compiler
def test_a_library_that_defines_nothing_still_shows_what_it_needs(tmp_path: Path) -> None:
    source = "namespace at { void one(int); }\nstatic void use() { at::one(1); }\n"
    source += "__attribute__((constructor)) static void start() { use(); }\n"
    elf = Elf(build(tmp_path / "libempty.so", source, "-Wl,--hash-style=gnu").read_bytes())
    assert b"_ZN2at3oneEi" in elf.undefined.strong


@needs_compiler
def test_runpath_is_not_taken_for_rpath(tmp_path: Path) -> None:
    path = build(tmp_path / "libnew.so", "int x;", "-Wl,--enable-new-dtags,-rpath,/a:/b")
    elf = Elf(path.read_bytes())
    assert (elf.rpath, elf.runpath) == ((), ("/a", "/b"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not an ELF file"),
        (b"MZ" + bytes(100), "not an ELF file"),
        (b"\x7fELF", "cut short"),
        (b"\x7fELF\x01\x01" + bytes(58), "64-bit"),
        (b"\x7fELF\x02\x02" + bytes(58), "little-endian"),
    ],
)
def test_other_files_are_refused_in_words(data: bytes, reason: str) -> None:
    with pytest.raises(NotReadable, match=reason):
        Elf(data)


@needs_compiler
def test_a_file_that_was_cut_is_refused_like_the_loader_would(library: Path) -> None:
    data = library.read_bytes()
    with pytest.raises(NotReadable, match="cut short"):
        Elf(data[: len(data) // 2])


@needs_compiler
def test_a_file_may_be_cut_anywhere(library: Path) -> None:
    data = library.read_bytes()
    for length in [*range(1024), *range(1024, len(data), 61)]:
        assert everything(data[:length])


@needs_compiler
def test_any_byte_of_any_table_may_be_anything(library: Path) -> None:
    data = library.read_bytes()
    tables = [".dynamic", ".gnu.hash", ".hash", ".dynsym", ".gnu.version_r", ".gnu.version_d"]
    spans = [(row.offset, row.size) for row in Elf(data).sections if row.name in tables]
    (shoff,) = struct.unpack_from("<Q", data, 40)
    spans += [(0, 64 + 56 * struct.unpack_from("<H", data, 56)[0]), (shoff, len(data) - shoff)]
    for start, size in spans:
        for place in range(start, min(start + size, len(data))):
            for value in {0, 0x7F, 0xFF, data[place] ^ 0x80} - {data[place]}:
                changed = data[:place] + bytes([value]) + data[place + 1 :]
                assert everything(changed)


@needs_compiler
@settings(max_examples=200)
@given(edits=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, (1 << 64) - 1)), min_size=1, max_size=6))
def test_any_words_may_be_anything(edits: list[tuple[int, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        data = bytearray(build(Path(folder) / "libmade.so", SOURCE).read_bytes())
    for place, value in edits:
        at = place % (len(data) - 8)
        struct.pack_into("<Q", data, at, value)
    assert everything(bytes(data))


@given(st.binary(max_size=700))
def test_the_hash_is_the_one_of_the_definition(name: bytes) -> None:
    value = 5381
    for char in name:
        value = (value * 33 + char) & 0xFFFFFFFF
    assert gnu_hash(name) == value


def test_the_old_hash_has_the_values_of_the_standard() -> None:
    # examples of the System V ABI's function, worked out by its C text
    assert sysv_hash(b"") == 0
    assert sysv_hash(b"printf") == 0x077905A6
    assert sysv_hash(b"exit") == 0x0006CF04
