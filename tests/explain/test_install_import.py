"""Fixes of the install and import stages: each fits the machine that the log comes from."""

from __future__ import annotations

import pytest

from attn_doctor.explain.causes import _index, _loader, _wheels
from explain.words import diagnosed, fixes

MACHINE = ("gpu=NVIDIA GeForce RTX 4090", "torch=2.8.0+cu128", "python=3.12")
UNDEFINED = "ImportError: /v/flash_attn_2_cuda.cpython-312-x86_64-linux-gnu.so: undefined symbol: "
SET_DEVICE = f"{UNDEFINED}_ZN3c104cuda9SetDeviceEi"


def test_another_torch_gets_the_file_that_fits_it() -> None:
    said = diagnosed(SET_DEVICE, *MACHINE, "pkg.flash-attn=2.7.4").causes[0]
    assert "c10::cuda::SetDevice(int)" in said.explanation
    assert "torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl" in said.fix[0]
    assert "--no-deps" in said.fix[0]


def test_where_nothing_fits_the_nearest_move_of_torch_is_named() -> None:
    said = fixes(SET_DEVICE, "gpu=NVIDIA GeForce RTX 4090", "torch=2.15.0", "python=3.12", "pkg.flash-attn=2.8.3")
    assert "pip install torch==" in said


def test_the_table_says_in_which_torch_a_symbol_was_seen() -> None:
    assert _loader.seen_in("_ZN3c104cuda9SetDeviceEab") == "2.8.0"
    assert _loader.in_words("_ZN2at4_ops5zeros4callEN3c108ArrayRefIlEE") == "at::_ops::zeros::call"


@pytest.mark.parametrize(
    ("symbol", "flavour"),
    [
        ("_ZN3c105ErrorC2ENS_14SourceLocationESs", "old"),
        ("_ZN3c106detail14torchCheckFailEPKcS2_jRKSs", "old"),
        ("_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE", "new"),
        ("_ZNK5torch8autograd4Node4nameB5cxx11Ev", "new"),
        ("_ZN3c104cuda9SetDeviceEa", None),
        ("_ZN2at7SsomethE", None),
        ("_ZN3c1015SmallVectorBaseIjE8grow_podEPKvmm", None),
    ],
)
def test_the_abi_is_read_from_the_types_and_not_from_names(symbol: str, flavour: str | None) -> None:
    assert _loader.flavour(symbol) == flavour


def test_the_other_abi_is_named_by_the_flag_of_the_wheel() -> None:
    said = diagnosed(f"{UNDEFINED}_ZN3c105ErrorC2ENS_14SourceLocationESs", *MACHINE).causes[0]
    assert said.category == "cxx11-abi-mismatch"
    assert "cxx11abiTRUE is needed" in said.explanation
    assert "does not help" in said.fix[-1]


def test_an_old_glibc_gets_a_file_that_promises_an_old_one() -> None:
    text = "ImportError: /lib/libc.so.6: version `GLIBC_2.32' not found (required by /v/flash_attn_2_cuda.so)"
    said = diagnosed(text, *MACHINE, "libc=glibc-2.31").causes[0]
    assert "this system has glibc 2.31" in said.explanation
    assert "manylinux_2_2" in said.fix[0]


def test_a_runtime_of_torchs_own_major_is_not_called_another_one() -> None:
    text = "ImportError: libcudart.so.12: cannot open shared object file: No such file or directory"
    assert "import torch first" in fixes(text, *MACHINE)
    other = diagnosed(text, "torch=2.14.1+cu130", "gpu=NVIDIA L4", "python=3.12").causes[0]
    assert "CUDA 12, and torch 2.14.1+cu130 brings CUDA 13.0" in other.explanation


def test_companions_are_named_with_the_build_of_torch() -> None:
    said = fixes("RuntimeError: operator torchvision::nms does not exist", *MACHINE, "pkg.torchvision=0.20.1")
    assert "torchvision==0.23.0" in said
    assert "https://download.pytorch.org/whl/cu128" in said


def test_xformers_of_the_torch_in_its_banner() -> None:
    text = (
        "xFormers can't load C++/CUDA extensions. xFormers was built for:\n"
        "    PyTorch 2.4.0+cu121 with CUDA 1201 (you have 2.5.1+cu124)"
    )
    assert "xformers==0.0.28.post3 --index-url https://download.pytorch.org/whl/cu124" in fixes(text)


def test_a_build_of_another_index_is_asked_for_there() -> None:
    text = "ERROR: No matching distribution found for torch==2.8.0+cu126"
    assert "torch==2.8.0+cu126 --index-url https://download.pytorch.org/whl/cu126" in fixes(text)


def test_a_swapped_torch_is_put_back_from_its_own_index() -> None:
    text = "Found existing installation: torch 2.8.0+cu128\nSuccessfully installed torch-2.7.1 xformers-0.0.31"
    assert "torch==2.8.0+cu128 --index-url https://download.pytorch.org/whl/cu128" in fixes(text)


def test_bad_advice_is_refuted() -> None:
    assert "--break-system-packages does what it says" in fixes("error: externally-managed-environment")
    text = "ERROR: flash_attn-2.8.3-cp310-cp310-linux_x86_64.whl is not a supported wheel on this platform."
    assert "Renaming the file does not help" in diagnosed(text).causes[0].explanation


def test_a_refused_wheel_says_nothing_of_the_machine() -> None:
    text = "ERROR: flash_attn-2.8.3-cp310-cp310-win_amd64.whl is not a supported wheel on this platform."
    assert diagnosed(text).said == {}


@pytest.mark.parametrize(
    ("name", "python", "os", "arch"),
    [
        ("flash_attn-2.8.3-cp312-cp312-linux_x86_64.whl", "3.12", "linux", "x86_64"),
        ("flash_attn-2.8.3-cp313-cp313t-linux_aarch64.whl", "3.13t", "linux", "aarch64"),
        ("flash_attn_3-3.0.0-cp39-abi3-manylinux_2_28_x86_64.whl", None, "linux", "x86_64"),
        ("flash_attn-2.8.3-cp311-cp311-win_amd64.whl", "3.11", "windows", "x86_64"),
        ("einops-0.8.0-py3-none-any.whl", None, None, None),
    ],
)
def test_tags_of_a_wheel(name: str, python: str | None, os: str | None, arch: str | None) -> None:
    tags = _wheels.tags(f"ERROR: {name} is refused")
    assert tags is not None
    assert (tags.version, tags.os, tags.arch) == (python, os, arch)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("satisfies the requirement torch==2.1.0+cu118 (from versions: none)", ("torch", "2.1.0+cu118")),
        ("No matching distribution found for torch", ("torch", None)),
        ("No matching distribution found for flash-attn>=2.9", ("flash-attn", None)),
        ("there is no version of xformers==0.9 and you require", ("xformers", "0.9")),
    ],
)
def test_what_was_asked_for(line: str, wanted: tuple[str, str | None]) -> None:
    assert _index.wanted(line) == wanted
