"""The GPU code inside a library, from the headers of its fat binaries.

nvcc puts one fat binary for each compiled file into the section .nv_fatbin: a header, and behind it an entry for each
architecture, a header and its code in turn. Hopping from one to the next touches no code, compressed or not.

Layout, all little-endian, as nvcc 11.8 to 13.0 write it and cuobjdump reads it: fat binary {u32 magic 0xBA55ED50,
u16 version 1, u16 size of this header, u64 size of all entries}; entry {u16 kind, u16 version, u32 size of this header,
u64 size of the code, ..., u32 architecture at 28, ..., u64 flags at 40}. nvcc sets bit 20 of the flags for sm_90a and
bit 21 for sm_100f.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.machine.binaries.elf import Data, Elf, NotReadable, Section
from attn_doctor.machine.host import Host

# relocatable device code (nvcc -rdc=true) stands in a section of its own
SECTIONS = (".nv_fatbin", "__nv_relfatbin")
MAGIC = struct.pack("<I", 0xBA55ED50)
# alignment leaves gaps of some bytes between fat binaries; more is none of them
MAX_GAP = 4_096
# libcublasLt 13 has 5 424
MAX_ENTRIES = 200_000
MAX_ARCH = 999
# GPU code below this is read as fast as it is remembered (docs/adr/0006)
WORTH_BYTES = 32 << 20

_HEADER = struct.Struct("<IHHQ")
_ENTRY = struct.Struct("<HHIQ12xI8xQ")
_PTX, _CUBIN = 1, 2
_SPECIFIC, _FAMILY = 1 << 20, 1 << 21


class GpuCode(msgspec.Struct, frozen=True):
    """How many compiled files carry machine code, and PTX, for each architecture: {'80': 393, '90a': 4}."""

    cubins: dict[str, int]
    ptx: dict[str, int]


class Share(msgspec.Struct, frozen=True):
    """The table `gpu_code`: what part of the files must carry an architecture for the library to support it."""

    as_of: str
    supported_share: float
    why: str
    source: str


def read_once(host: Host, path: str, elf: Elf) -> GpuCode | None:
    """`read`, or what an earlier call read of the very same file, which the host has just opened."""
    if sum(section.size for section in _sections(elf)) < WORTH_BYTES:
        return read(elf)
    if (known := host.remembered(path)) is not None:
        with suppress(msgspec.MsgspecError, ValueError):
            return msgspec.json.decode(known, type=GpuCode | None)
    found = read(elf)
    host.remember(path, msgspec.json.encode(found))
    return found


def _sections(elf: Elf) -> list[Section]:
    return [section for name in SECTIONS if (section := elf.section(name)) and section.size]


def read(elf: Elf) -> GpuCode | None:
    """What the fat binaries of a library hold; None where it has no GPU code. Raises NotReadable."""
    cubins: dict[str, int] = {}
    ptx: dict[str, int] = {}
    for section in _sections(elf):
        for kind, arch in entries(elf.data, section.offset, section.offset + section.size):
            counts = ptx if kind == _PTX else cubins
            counts[arch] = counts.get(arch, 0) + 1
    return GpuCode(_sorted(cubins), _sorted(ptx)) if cubins or ptx else None


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return {arch: counts[arch] for arch in sorted(counts, key=lambda arch: (int(arch.rstrip("af")), arch))}


def entries(data: Data, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Kind and architecture of each entry of the fat binaries between two offsets."""
    seen = 0
    while start + _HEADER.size <= end:
        if data[start : start + 4] != MAGIC:
            start = _next(data, start, end)
            continue
        _, _, header, size = _HEADER.unpack_from(data, start)
        first, stop = start + header, start + header + size
        if header < _HEADER.size or stop > end:
            raise NotReadable("a fat binary ends outside its section")
        for entry in _entries(data, first, stop):
            seen += 1
            if seen > MAX_ENTRIES:
                raise NotReadable("more fat binary entries than any real library has")
            yield entry
        start = stop


def _next(data: Data, start: int, end: int) -> int:
    found = data.find(MAGIC, start, min(end, start + MAX_GAP))
    if found >= 0:
        return found
    if end - start > MAX_GAP or any(data[start:end]):
        raise NotReadable("no fat binary where one should begin")
    return end


def _entries(data: Data, start: int, stop: int) -> Iterator[tuple[int, str]]:
    while start < stop:
        if start + _ENTRY.size > stop:
            raise NotReadable("a fat binary entry is cut short")
        kind, _, header, size, arch, flags = _ENTRY.unpack_from(data, start)
        if header < _ENTRY.size or start + header + size > stop:
            raise NotReadable("a fat binary entry ends outside its fat binary")
        if kind in (_PTX, _CUBIN) and 0 < arch <= MAX_ARCH:
            yield kind, f"{arch}{'a' if flags & _SPECIFIC else 'f' if flags & _FAMILY else ''}"
        start += header + size


def supported(code: GpuCode) -> tuple[str, ...]:
    """The architectures that the library supports, as torch writes them: ('sm_80', 'sm_90a', 'compute_90')."""
    least = load("gpu_code", Share).supported_share * max((*code.cubins.values(), *code.ptx.values()), default=0)
    return (
        *(f"sm_{arch}" for arch, count in code.cubins.items() if count >= least),
        *(f"compute_{arch}" for arch, count in code.ptx.items() if count >= least),
    )
