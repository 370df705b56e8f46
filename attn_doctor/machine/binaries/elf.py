"""A minimal reader of 64-bit little-endian ELF shared libraries: what they need, and what they define.

Only what decides whether a library loads is read, from the tables that the loader itself uses; see
docs/adr/0005-own-elf-reader.md for why no library does it. Every offset is checked against the size of the file:
whatever is in it, the answer is a value or NotReadable.

Source of the layouts: System V ABI, chapters 4 and 5; the Linux Standard Base for versions; for DT_GNU_HASH the
sources of the GNU linker.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from operator import mul

import msgspec

Data = bytes | mmap.mmap

# what no real library comes near: libtorch_cpu.so, the largest we know, has 190 000 symbols and 50 sections
MAX_SECTIONS = 65_536
MAX_DYNAMIC = 4_096
MAX_SYMBOLS = 1 << 20
MAX_NAME = 1 << 16
MAX_NAMES = 1 << 26  # bytes of all names of one answer
MAX_CHAIN = 4_096
MAX_VERSIONS = 65_536

MACHINES = {62: "x86_64", 183: "aarch64"}

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_DYNAMIC = struct.Struct("<qQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_VERNEED = struct.Struct("<HHIII")
_VERNAUX = struct.Struct("<IHHII")
_VERDEF = struct.Struct("<HHHHIII")
_VERDAUX = struct.Struct("<II")
_GNU_HASH = struct.Struct("<IIII")
_PAIR = struct.Struct("<II")
_WORD = struct.Struct("<I")
_QUAD = struct.Struct("<Q")

_PT_LOAD, _PT_DYNAMIC = 1, 2
_SHT_DYNAMIC, _SHT_NOBITS, _SHT_DYNSYM = 6, 8, 11
_DT_NEEDED, _DT_HASH, _DT_STRTAB, _DT_SYMTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 4, 5, 6, 10, 14, 15, 29
_DT_GNU_HASH, _DT_VERDEF, _DT_VERDEFNUM, _DT_VERNEED, _DT_VERNEEDNUM = (
    *(0x6FFFFEF5, 0x6FFFFFFC, 0x6FFFFFFD),
    *(0x6FFFFFFE, 0x6FFFFFFF),
)
_LOCAL, _WEAK = 0, 2
_EXTENDED = 0xFFFF
_VER_FLG_WEAK = 2
_MASK = 0xFFFFFFFF


class NotReadable(Exception):
    """The file is not what it should be; the text says in which way."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Section(msgspec.Struct, frozen=True):
    """One row of the section headers."""

    name: str
    kind: int
    address: int
    offset: int
    size: int
    entry_size: int


class Symbols(msgspec.Struct, frozen=True):
    """Undefined dynamic symbols: loading fails where a strong one is found nowhere."""

    strong: tuple[bytes, ...]
    weak: tuple[bytes, ...]


class Elf:
    """A shared library or program. Everything raises NotReadable where the file does not hold what it promises."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.size = len(data)
        if self.data[:4] != b"\x7fELF":
            raise NotReadable("not an ELF file")
        ident, self.kind, machine, *_, flags_and_sizes = self._head()
        if ident[4] != 2:  # noqa: PLR2004 - ELFCLASS64
            raise NotReadable("not a 64-bit file")
        if ident[5] != 1:
            raise NotReadable("not a little-endian file")
        self.machine = MACHINES.get(machine, f"machine {machine}")
        self._phoff, self._shoff, self._phentsize, self._phnum, self._shentsize, self._shnum, self._shstrndx = (
            flags_and_sizes
        )
        self._loads: list[tuple[int, int, int]] = []
        self._dynamic_at: tuple[int, int] | None = None
        self._read_program_headers()

    def _head(self) -> tuple[bytes, int, int, tuple[int, ...]]:
        if self.size < _HEADER.size:
            raise NotReadable("cut short inside the file header")
        ident, kind, machine, _, _, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, shstrndx = (
            _HEADER.unpack_from(self.data)
        )
        return ident, kind, machine, (phoff, shoff, phentsize, phnum, shentsize, shnum, shstrndx)

    def _at(self, shape: struct.Struct, offset: int, what: str) -> tuple[int, ...]:
        if offset < 0 or offset + shape.size > self.size:
            raise NotReadable(f"{what} lies outside the file")
        return shape.unpack_from(self.data, offset)

    def _read_program_headers(self) -> None:
        if self._phnum and self._phentsize != _PROGRAM.size:
            raise NotReadable(f"program headers of {self._phentsize} bytes")
        for index in range(self._phnum):
            kind, _, offset, address, _, in_file, _, _ = self._at(
                _PROGRAM, self._phoff + index * _PROGRAM.size, "a program header"
            )
            if kind not in (_PT_LOAD, _PT_DYNAMIC):
                continue
            if offset + in_file > self.size:
                raise NotReadable("cut short: a segment ends outside the file")
            if kind == _PT_LOAD:
                self._loads.append((address, offset, in_file))
            else:
                self._dynamic_at = offset, in_file

    def _offset(self, address: int, what: str) -> int:
        """Where in the file the byte stands that is loaded at an address."""
        for start, offset, in_file in self._loads:
            if start <= address < start + in_file:
                return offset + address - start
        raise NotReadable(f"{what} stands in no segment")

    # sections

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The section headers; empty where they were stripped."""
        if self._shoff == 0:
            return ()
        if self._shentsize != _SECTION.size:
            raise NotReadable(f"section headers of {self._shentsize} bytes")
        first = self._at(_SECTION, self._shoff, "the section headers")
        count = self._shnum or first[5]
        names_at = first[6] if self._shstrndx == _EXTENDED else self._shstrndx
        if count > MAX_SECTIONS or names_at >= count:
            raise NotReadable(f"{count} sections with their names in {names_at}")
        rows = [self._at(_SECTION, self._shoff + index * _SECTION.size, "a section header") for index in range(count)]
        names = rows[names_at]
        if names[4] + names[5] > self.size:
            raise NotReadable("the names of the sections lie outside the file")
        return tuple(
            Section(self._text(names[4], names[5], row[0]), row[1], row[3], row[4], row[5], row[9]) for row in rows
        )

    def section(self, name: str) -> Section | None:
        """The first section of that name that has bytes in the file."""
        for section in self.sections:
            if section.name == name and section.kind != _SHT_NOBITS:
                if section.offset + section.size > self.size:
                    raise NotReadable(f"section {name} ends outside the file")
                return section
        return None

    def _bytes(self, start: int, size: int, index: int) -> bytes:
        """A zero-terminated name of a table of names."""
        if index >= size:
            raise NotReadable("a name stands outside its table")
        stop = min(start + size, start + index + MAX_NAME)
        end = self.data.find(b"\0", start + index, stop)
        if end < 0:
            raise NotReadable("a name does not end")
        return self.data[start + index : end]

    def _text(self, start: int, size: int, index: int) -> str:
        return self._bytes(start, size, index).decode("utf-8", "replace")

    # the dynamic section

    @cached_property
    def _tags(self) -> dict[int, list[int]]:
        """The dynamic section: its values by their tags."""
        place = self._dynamic_at or self._dynamic_section()
        if place is None:
            raise NotReadable("no dynamic section: not a shared library")
        offset, size = place
        found: dict[int, list[int]] = {}
        for index in range(min(size // _DYNAMIC.size, MAX_DYNAMIC)):
            tag, value = self._at(_DYNAMIC, offset + index * _DYNAMIC.size, "the dynamic section")
            if tag == 0:
                return found
            found.setdefault(tag, []).append(value)
        raise NotReadable("the dynamic section does not end")

    def _dynamic_section(self) -> tuple[int, int] | None:
        return next(((row.offset, row.size) for row in self.sections if row.kind == _SHT_DYNAMIC), None)

    def _tag(self, tag: int) -> int | None:
        values = self._tags.get(tag)
        return values[0] if values else None

    @cached_property
    def _strings(self) -> tuple[int, int]:
        """Where the dynamic names stand, and their size."""
        address, size = self._tag(_DT_STRTAB), self._tag(_DT_STRSZ)
        if address is None or size is None:
            raise NotReadable("no table of dynamic names")
        start = self._offset(address, "the table of dynamic names")
        if start + size > self.size:
            raise NotReadable("the table of dynamic names ends outside the file")
        return start, size

    def _named(self, tag: int) -> tuple[str, ...]:
        return tuple(self._text(*self._strings, value) for value in self._tags.get(tag, ()))

    @cached_property
    def needed(self) -> tuple[str, ...]:
        """The libraries it asks the loader for (DT_NEEDED)."""
        return self._named(_DT_NEEDED)

    @cached_property
    def soname(self) -> str | None:
        return next(iter(self._named(_DT_SONAME)), None)

    @cached_property
    def rpath(self) -> tuple[str, ...]:
        """Folders searched before LD_LIBRARY_PATH, also for what its libraries need; void beside a RUNPATH."""
        return () if _DT_RUNPATH in self._tags else _folders(self._named(_DT_RPATH))

    @cached_property
    def runpath(self) -> tuple[str, ...]:
        """Folders searched after LD_LIBRARY_PATH, for its own needs only."""
        return _folders(self._named(_DT_RUNPATH))

    # symbols

    @cached_property
    def _symbols(self) -> int:
        address = self._tag(_DT_SYMTAB)
        if address is None:
            raise NotReadable("no table of dynamic symbols")
        return self._offset(address, "the table of dynamic symbols")

    def _unhashed(self) -> int:
        """How many symbols must be looked at to see every undefined one.

        DT_GNU_HASH keeps the defined ones, all behind the others; where it holds none, that border says nothing.
        """
        if (address := self._tag(_DT_GNU_HASH)) is not None:
            table = self._gnu_hash(address)
            if any(self.data[table.buckets : table.chains]):
                return table.first
        if (address := self._tag(_DT_HASH)) is not None:
            return self._at(_PAIR, self._offset(address, "the hash table"), "the hash table")[1]
        listed = next((row.size // _SYMBOL.size for row in self.sections if row.kind == _SHT_DYNSYM), None)
        if listed is None:
            raise NotReadable("nothing says how many dynamic symbols there are")
        return listed

    @cached_property
    def undefined(self) -> Symbols:
        """The symbols that other libraries must bring."""
        count = self._unhashed()
        start = self._symbols
        if count > MAX_SYMBOLS or start + count * _SYMBOL.size > self.size:
            raise NotReadable(f"{count} dynamic symbols do not fit into the file")
        rows = _SYMBOL.iter_unpack(self.data[start : start + count * _SYMBOL.size])
        found = [(name, info >> 4) for name, info, _, section, _, _ in rows if section == 0 and name and info >> 4]
        names = self._names(name for name, _ in found)
        pairs = list(zip(names, (binding for _, binding in found), strict=True))
        return Symbols(
            strong=tuple(name for name, binding in pairs if binding != _WEAK),
            weak=tuple(name for name, binding in pairs if binding == _WEAK),
        )

    def _names(self, indices: Iterable[int]) -> Iterator[bytes]:
        start, size = self._strings
        total = 0
        for index in indices:
            name = self._bytes(start, size, index)
            total += len(name)
            if total > MAX_NAMES:
                raise NotReadable("the names of its symbols are longer than any real library's")
            yield name

    def defined_among(self, names: Iterable[tuple[bytes, int]]) -> set[bytes]:
        """Which of these symbols, given with their `gnu_hash`, this library defines."""
        if (address := self._tag(_DT_GNU_HASH)) is not None:
            table = self._gnu_hash(address)
            return {name for name, key in names if self._in_gnu_hash(table, name, key)}
        if (address := self._tag(_DT_HASH)) is not None:
            start = self._offset(address, "the hash table")
            buckets, chains = self._at(_PAIR, start, "the hash table")
            if buckets == 0 or start + 8 + 4 * (buckets + chains) > self.size:
                raise NotReadable("the hash table does not fit into the file")
            return {name for name, _ in names if self._in_hash(start + 8, buckets, chains, name)}
        raise NotReadable("no hash table of its symbols")

    def defines(self, name: str) -> bool:
        """Whether it defines one symbol."""
        encoded = name.encode()
        return bool(self.defined_among([(encoded, gnu_hash(encoded))]))

    def _gnu_hash(self, address: int) -> _GnuHash:
        start = self._offset(address, "the hash table")
        buckets, first, bloom, shift = self._at(_GNU_HASH, start, "the hash table")
        bloom_at = start + _GNU_HASH.size
        buckets_at = bloom_at + 8 * bloom
        chains_at = buckets_at + 4 * buckets
        if buckets == 0 or bloom == 0 or chains_at > self.size:
            raise NotReadable("the hash table does not fit into the file")
        return _GnuHash(buckets, first, bloom, shift, bloom_at, buckets_at, chains_at)

    def _in_gnu_hash(self, table: _GnuHash, name: bytes, key: int) -> bool:
        data = self.data
        (word,) = _QUAD.unpack_from(data, table.bloom_at + 8 * (key // 64 % table.bloom))
        if not word >> key % 64 & word >> (key >> table.shift) % 64 & 1:
            return False
        (index,) = _WORD.unpack_from(data, table.buckets + 4 * (key % table.count))
        if index < table.first:
            return False
        for number in range(index, index + MAX_CHAIN):
            (stored,) = self._at(_WORD, table.chains + 4 * (number - table.first), "a chain of the hash table")
            if (stored ^ key) >> 1 == 0 and self._is_defined_as(number, name):
                return True
            if stored & 1:
                return False
        raise NotReadable("a chain of the hash table does not end")

    def _in_hash(self, start: int, buckets: int, chains: int, name: bytes) -> bool:
        (index,) = _WORD.unpack_from(self.data, start + 4 * (sysv_hash(name) % buckets))
        for _ in range(MAX_CHAIN):
            if index == 0:
                return False
            if index >= chains:
                raise NotReadable("a chain of the hash table leaves it")
            if self._is_defined_as(index, name):
                return True
            (index,) = _WORD.unpack_from(self.data, start + 4 * (buckets + index))
        raise NotReadable("a chain of the hash table does not end")

    def _is_defined_as(self, index: int, name: bytes) -> bool:
        at, info, _, section, _, _ = self._at(_SYMBOL, self._symbols + index * _SYMBOL.size, "a symbol")
        start, size = self._strings
        if section == 0 or info >> 4 == _LOCAL or at + len(name) >= size:
            return False
        return self.data[start + at : start + at + len(name) + 1] == name + b"\0"

    # versions

    @cached_property
    def required_versions(self) -> dict[str, tuple[str, ...]]:
        """The versions that it needs of each library (.gnu.version_r): {'libc.so.6': ('GLIBC_2.14', ...)}."""
        place = self._versions(_DT_VERNEED, _DT_VERNEEDNUM)
        found: dict[str, tuple[str, ...]] = {}
        for offset in self._linked(*place, _VERNEED, 4):
            _, count, file, first, _ = self._at(_VERNEED, offset, "a required version")
            rows = [self._at(_VERNAUX, at, "a version") for at in self._linked(offset + first, count, _VERNAUX, 4)]
            names = [self._text(*self._strings, row[3]) for row in rows if not row[1] & _VER_FLG_WEAK]
            library = self._text(*self._strings, file)
            found[library] = (*found.get(library, ()), *names)
        return found

    @cached_property
    def defined_versions(self) -> tuple[str, ...]:
        """The versions that it offers (.gnu.version_d)."""
        place = self._versions(_DT_VERDEF, _DT_VERDEFNUM)
        found: list[str] = []
        for offset in self._linked(*place, _VERDEF, 6):
            row = self._at(_VERDEF, offset, "a version")
            found.append(self._text(*self._strings, self._at(_VERDAUX, offset + row[5], "a version")[0]))
        return tuple(found)

    def _versions(self, tag: int, number: int) -> tuple[int, int]:
        address, count = self._tag(tag), self._tag(number)
        if address is None or not count:
            return 0, 0
        return self._offset(address, "the versions"), count

    def _linked(self, offset: int, count: int, shape: struct.Struct, following: int) -> Iterator[int]:
        """The offsets of rows that name their distance to the next one."""
        if count > MAX_VERSIONS:
            raise NotReadable(f"{count} versions")
        for _ in range(count):
            step = self._at(shape, offset, "a version")[following]
            yield offset
            if step == 0:
                return
            offset += step


class _GnuHash(msgspec.Struct, frozen=True):
    """The header of a DT_GNU_HASH table and where its parts stand in the file."""

    count: int
    first: int
    bloom: int
    shift: int
    bloom_at: int
    buckets: int
    chains: int


def _folders(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(folder for value in values for folder in value.split(":") if folder)


@cache
def _powers() -> list[int]:
    """33 to the power of the place: the hash as one sum, three times as fast as a loop over the characters."""
    return [pow(33, place, 1 << 32) for place in range(512, -1, -1)]


def gnu_hash(name: bytes) -> int:
    """The hash of DT_GNU_HASH: h = h * 33 + c, from 5381."""
    length, powers = len(name), _powers()
    if length >= len(powers):
        value = 5381
        for char in name:
            value = value * 33 + char & _MASK
        return value
    total: int = sum(map(mul, name, powers[len(powers) - length :]))
    return (5381 * powers[-length - 1] + total) & _MASK


def sysv_hash(name: bytes) -> int:
    """The hash of DT_HASH."""
    value = 0
    for char in name:
        value = (value << 4) + char & _MASK
        high = value & 0xF0000000
        value = (value ^ high >> 24) & ~high & _MASK
    return value
