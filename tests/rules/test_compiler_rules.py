"""AD205 to AD208: host compilers, glibc and the C++ standard."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probes.compiler import Compiler
from attn_doctor.machine.probes.libc import Libc
from attn_doctor.machine.probes.system import System
from attn_doctor.machine.probes.toolkits import Toolkit, Toolkits, parse_math_header
from rules.rooted import Rooted, finding, found, imagined, plant, read, toolkit

GPU = "gpu=NVIDIA GeForce RTX 3090"
# of the CUDA major that each torch is built for
NVCC = {"2.15.0": "nvcc=13.2", "2.14.1": "nvcc=13.0", "2.13.0": "nvcc=13.0", "2.8.0": "nvcc=12.8", "2.1.2": "nvcc=12.1"}
UBUNTU = System("linux", "x86_64", distribution="Ubuntu 24.04.1 LTS")
HEADER = "extern __DEVICE_FUNCTIONS_DECL__ __device_builtin__ double                 {}(double x){};\n"


def build(torch: str = "torch=2.8.0", nvcc: str = "nvcc=12.8", gcc: str = "gcc=13.3", *more: str) -> Facts:
    return imagined(GPU, torch, nvcc, gcc, *more)


@pytest.mark.parametrize(
    ("nvcc", "gcc", "newest"),
    [("12.8", "15.1", 14), ("12.4", "14.2.0", 13), ("13.0", "16.0", 15), ("11.8", "12.2", 11)],
)
def test_gcc_newer_than_nvcc_accepts(nvcc: str, gcc: str, newest: int) -> None:
    torch = {"11": "2.7.1+cu118", "12": "2.8.0", "13": "2.13.0"}[nvcc[:2]]
    of = build(f"torch={torch}", f"nvcc={nvcc}", f"gcc={gcc}")
    answer = found("AD205", of)
    assert answer.severity == "info"
    assert f"gcc {gcc} is newer than {newest}, the newest that nvcc {nvcc} accepts" in answer.detail
    assert answer.fix == (f"export CC=gcc-{newest} CXX=g++-{newest}",)


def test_gcc_newer_on_ubuntu_names_the_package() -> None:
    of = imagined(GPU, "torch=2.8.0", "nvcc=12.8", "gcc=15.1", system=UBUNTU)
    assert found("AD205", of).fix == ("sudo apt install g++-14 && export CC=gcc-14 CXX=g++-14",)


@pytest.mark.parametrize(
    "of",
    [
        build(gcc="gcc=14.2"),
        build(nvcc="nvcc=13.9", gcc="gcc=99.1"),  # a toolkit that the table does not know
        build(nvcc="nvcc=none", gcc="gcc=99.1"),
        build(torch="torch=2.8.0+cpu", gcc="gcc=99.1"),
        build(gcc="gcc=none"),
        imagined(GPU, "torch=2.8.0", "nvcc=12.8", compiler=Compiler("clang", "19.1.0")),
    ],
    ids=["the newest", "unknown toolkit", "no nvcc", "cpu torch", "no gcc", "clang"],
)
def test_gcc_that_will_do(of: Facts) -> None:
    assert finding("AD205", of) is None


@pytest.mark.parametrize(
    ("torch", "gcc", "oldest"),
    [("2.15.0", "10.2.1", "11"), ("2.14.1", "10.5", "11"), ("2.8.0", "8.5.0", "9"), ("2.1.2", "4.8.5", "7")],
)
def test_gcc_older_than_torchs_headers_demand(torch: str, gcc: str, oldest: str) -> None:
    answer = found("AD206", build(f"torch={torch}", NVCC[torch], f"gcc={gcc}"))
    assert answer.severity == "info"
    assert f"gcc {gcc} is older than {oldest}, the oldest for torch {torch}" in answer.detail


@pytest.mark.parametrize(
    ("torch", "gcc"), [("2.15.0", "11.4.0"), ("2.13.0", "10.2"), ("2.8.0", "9.4"), ("2.1.2", "7.5")]
)
def test_gcc_old_enough(torch: str, gcc: str) -> None:
    assert finding("AD206", build(f"torch={torch}", NVCC[torch], f"gcc={gcc}")) is None
    assert finding("AD206", build(f"torch={torch}", "nvcc=none", "gcc=4.8")) is None


@pytest.mark.parametrize(
    ("glibc", "nvcc", "functions", "needed"),
    [
        ("2.41", "12.8", "cospi and sinpi", "13.0"),
        ("2.41", "12.9", "cospi and sinpi", "13.0"),
        ("2.42", "12.9", "cospi and sinpi and rsqrt", "13.2"),
        ("2.42", "13.0", "rsqrt", "13.2"),
        ("2.43", "13.1", "rsqrt", "13.2"),
    ],
)
def test_glibc_against_the_headers(glibc: str, nvcc: str, functions: str, needed: str) -> None:
    torch = "torch=2.8.0" if nvcc.startswith("12") else "torch=2.13.0"
    answer = found("AD207", build(torch, f"nvcc={nvcc}", "gcc=14.2", f"libc=glibc-{glibc}"))
    assert answer.severity == "info"
    assert f"glibc {glibc} and the headers of CUDA {nvcc} declare {functions} differently" in answer.detail
    assert f"CUDA {needed} is the first whose headers agree" in answer.detail


@pytest.mark.parametrize(("glibc", "nvcc"), [("2.40", "12.8"), ("2.41", "13.0"), ("2.42", "13.2"), ("2.39", "11.8")])
def test_glibc_and_headers_that_agree(glibc: str, nvcc: str) -> None:
    torch = "torch=2.8.0" if nvcc < "13" else "torch=2.13.0"
    assert finding("AD207", build(torch, f"nvcc={nvcc}", "gcc=14.2", f"libc=glibc-{glibc}")) is None


def test_the_header_itself_decides(tmp_path: Path) -> None:
    root = "/usr/local/cuda-13.0"
    header = f"{root}/include/crt/math_functions.h"
    bare = HEADER.format("rsqrt", "") + HEADER.format("cospi", " __NV_IEC_60559_FUNCS_EXCEPTION_SPECIFIER")
    for name, text, clashes in (
        ("plain", bare, True),
        ("patched", bare.replace("(double x);", "(double x) noexcept;"), False),
    ):
        host = Rooted(plant(tmp_path / name, toolkit(root, "13.0") | {header: text}), {"CUDA_HOME": root}, "2.42")
        readings = {one: read(one, host) for one in ("toolkits", "libc", "environment")}
        of = imagined(GPU, "torch=2.13.0", **readings)
        assert (finding("AD207", of) is not None) is clashes


def test_a_glibc_that_declares_nothing_leaves_the_header_unread(tmp_path: Path) -> None:
    root = "/usr/local/cuda-12.8"
    files = toolkit(root, "12.8") | {f"{root}/include/crt/math_functions.h": HEADER.format("cospi", "")}
    (found_one,) = read("toolkits", Rooted(plant(tmp_path, files), {"CUDA_HOME": root}, "2.39")).value.found
    assert found_one.bare_math is None


def test_parse_math_header() -> None:
    text = HEADER.format("rsqrt", "") + HEADER.format("sinpi", " noexcept(true)") + "__func__(double cospi(double a));"
    assert parse_math_header(text) == ("rsqrt",)
    assert parse_math_header("") == ()


@pytest.mark.parametrize("root", ["/usr/lib/nvidia-cuda-toolkit", "/venv"])
def test_toolkits_that_others_patch_or_compile_against_another_glibc(root: str) -> None:
    one = Toolkits((Toolkit(root, "12.4", ("PATH",)),), root, "nvcc on PATH")
    assert finding("AD207", imagined(GPU, "torch=2.8.0", toolkits=one, libc=Libc("glibc", "2.41"))) is None


def test_condas_compiler_has_a_glibc_of_its_own() -> None:
    of = build("torch=2.8.0", "nvcc=12.8", "gcc=14.2", "libc=glibc-2.42")
    conda = Compiler("gcc", "13.3", "/opt/conda/bin/x86_64-conda-linux-gnu-c++")
    readings = of.readings | {"compiler": msgspec.structs.replace(of.readings["compiler"], value=conda)}
    assert finding("AD207", msgspec.structs.replace(of, readings=readings)) is None


def test_flash_attns_release_against_a_torch_of_cxx20() -> None:
    answer = found("AD208", build("torch=2.15.0", "nvcc=13.2", "gcc=14.2"))
    assert answer.severity == "info"
    assert "does not compile against torch 2.15.0" in answer.detail
    assert answer.fix[0].endswith("--no-build-isolation git+https://github.com/Dao-AILab/flash-attention")


@pytest.mark.parametrize(
    "of",
    [
        build("torch=2.13.0", "nvcc=13.0", "gcc=14.2"),
        build("torch=2.15.0", "nvcc=none", "gcc=14.2"),
        build("torch=2.15.0", "nvcc=13.2", "gcc=14.2", "pkg.flash-attn=2.8.4"),
        imagined("gpu=Tesla T4", "torch=2.15.0", "nvcc=13.2"),
        imagined("torch=2.15.0", "nvcc=13.2"),
    ],
    ids=["torch 2.13", "no nvcc", "installed", "a GPU it does not serve", "no GPU"],
)
def test_where_nobody_would_compile_it(of: Facts) -> None:
    assert finding("AD208", of) is None
