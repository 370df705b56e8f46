"""GPU code in a library: real ones made by nvcc where it is there, made-up ones, and damaged ones."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn_doctor.machine.binaries.elf import Elf, NotReadable
from attn_doctor.machine.binaries.fatbin import GpuCode, entries, read, supported
from compiled import build, needs_compiler

PTX, CUBIN = 1, 2
KERNEL = "__global__ void scale(float *x) { x[threadIdx.x] *= 2; }\nvoid run(float *x) { scale<<<1, 32>>>(x); }\n"
needs_nvcc = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("nvcc"), reason="fat binaries are made with nvcc"
)


def entry(kind: int, arch: int, flags: int = 0x11, header: int = 64, code: int = 24) -> bytes:
    head = struct.pack("<HHIQ12xI8xQ", kind, 0x101, header, code, arch, flags)
    return head.ljust(header, b"\0") + b"\xab" * code


def fatbin(*inside: bytes) -> bytes:
    body = b"".join(inside)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def listed(data: bytes) -> list[tuple[int, str]]:
    return list(entries(data, 0, len(data)))


def test_machine_code_and_ptx_are_told_apart() -> None:
    assert listed(fatbin(entry(CUBIN, 80), entry(PTX, 90))) == [(CUBIN, "80"), (PTX, "90")]


def test_suffixes_stand_in_the_flags() -> None:
    inside = (entry(CUBIN, 90, 0x100011), entry(CUBIN, 100, 0x1200011, 112), entry(PTX, 120, 0x208011, 80))
    assert [arch for _, arch in listed(fatbin(*inside))] == ["90a", "100f", "120f"]


def test_gaps_of_alignment_between_fat_binaries_are_passed_over() -> None:
    data = fatbin(entry(CUBIN, 80)) + bytes(40) + fatbin(entry(CUBIN, 90)) + bytes(24)
    assert listed(data) == [(CUBIN, "80"), (CUBIN, "90")]


def test_kinds_that_are_not_known_are_no_architecture() -> None:
    assert listed(fatbin(entry(0x40, 80), entry(CUBIN, 0), entry(CUBIN, 80))) == [(CUBIN, "80")]


@pytest.mark.parametrize(
    "data",
    [
        fatbin(entry(CUBIN, 80))[:-1],
        fatbin(entry(CUBIN, 80, header=8)),
        struct.pack("<IHHQ", 0xBA55ED50, 1, 0, 0) + bytes(64),
        struct.pack("<IHHQ", 0xBA55ED50, 1, 16, (1 << 64) - 1) + bytes(64),
        b"\x01" * 200,
        bytes(10_000),
    ],
)
def test_what_does_not_add_up_is_refused(data: bytes) -> None:
    with pytest.raises(NotReadable):
        listed(data)


def test_any_byte_of_any_header_may_be_anything() -> None:
    data = fatbin(entry(CUBIN, 80), entry(PTX, 90, header=80)) + fatbin(entry(CUBIN, 90, 0x100011))
    for place in range(len(data)):
        for value in range(0, 256, 5):
            changed = data[:place] + bytes([value]) + data[place + 1 :]
            for length in (len(data), place):
                _answers(changed[:length])


@given(st.binary(max_size=400), st.integers(0, 3))
def test_any_bytes_give_an_answer(data: bytes, before: int) -> None:
    _answers(fatbin(entry(CUBIN, 80)) * before + data)


def _answers(data: bytes) -> None:
    try:
        assert len(listed(data)) <= len(data) // 16
    except NotReadable:
        return


@pytest.mark.parametrize(
    ("cubins", "ptx", "expected"),
    [
        # torch 2.8.0 and 2.15.0, Linux x86_64, from PyPI: what torch.cuda.get_arch_list() says of them
        (
            {
                "70": 393,
                "75": 393,
                "80": 393,
                "86": 393,
                "89": 1,
                "90": 393,
                "90a": 4,
                "100": 393,
                "100a": 1,
                "120": 393,
            },
            {},
            "sm_70 sm_75 sm_80 sm_86 sm_90 sm_100 sm_120",
        ),
        (
            {"75": 476, "80": 476, "86": 476, "89": 1, "90": 476, "100": 476, "100a": 59, "103f": 59, "120": 476},
            {},
            "sm_75 sm_80 sm_86 sm_90 sm_100 sm_120",
        ),
        ({"75": 18, "80": 18, "90a": 18}, {"80": 18}, "sm_75 sm_80 sm_90a compute_80"),
        ({"80": 90, "90a": 180}, {}, "sm_80 sm_90a"),
        ({}, {}, ""),
    ],
)
def test_what_a_few_parts_carry_is_not_supported(cubins: dict[str, int], ptx: dict[str, int], expected: str) -> None:
    assert " ".join(supported(GpuCode(cubins, ptx))) == expected


@needs_compiler
def test_a_library_without_gpu_code_has_none(tmp_path: Path) -> None:
    assert read(Elf(build(tmp_path / "libplain.so", "int x;").read_bytes())) is None


@needs_nvcc
def test_what_nvcc_was_asked_for_is_read(tmp_path: Path) -> None:
    made = nvcc(tmp_path, "80,sm_80", "90a,sm_90a", "90a,compute_90a", "100f,sm_100f", "120,sm_120", "120,compute_120")
    code = read(Elf(made.read_bytes()))
    assert code is not None
    assert set(code.cubins) == {"80", "90a", "100f", "120"}
    assert set(code.ptx) == {"90a", "120"}


@needs_nvcc
def test_compressed_code_reads_alike(tmp_path: Path) -> None:
    code = read(Elf(nvcc(tmp_path, "80,sm_80", "90,compute_90", flags=("--compress-mode=size",)).read_bytes()))
    assert code is not None
    assert (set(code.cubins), set(code.ptx)) == ({"80"}, {"90"})


@needs_nvcc
def test_relocatable_code_reads_alike(tmp_path: Path) -> None:
    code = read(Elf(nvcc(tmp_path, "80,sm_80", flags=("-rdc=true",)).read_bytes()))
    assert code is not None
    assert set(code.cubins) == {"80"}


def nvcc(folder: Path, *targets: str, flags: tuple[str, ...] = ()) -> Path:
    source, out = folder / "kernel.cu", folder / "libkernel.so"
    source.write_text(KERNEL)
    asked = [part for target in targets for part in ("-gencode", "arch=compute_{},code={}".format(*target.split(",")))]
    command = ["nvcc", "-shared", "-Xcompiler", "-fPIC", *asked, *flags, "-o", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this nvcc does not make it: {done.stderr.splitlines()[-1:]}")
    return out
