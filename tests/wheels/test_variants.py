"""Builds of the Hub's kernels and packages of conda-forge: which fit, which are not known, and what `wheels` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attn_doctor.knowledge import hub_kernels
from attn_doctor.wheels import catalogue, variants
from attn_doctor.wheels.resolve import Key
from attn_doctor.wheels.variants import conda_builds, hub_refusal, hub_variants
from imagined import call, facts

FA2, FA3, VLLM_FA3 = (f"kernels-community/{name}" for name in ("flash-attn2", "flash-attn3", "vllm-flash-attn3"))
FA4, SAGE = "kernels-community/flash-attn4", "kernels-community/sage-attention"
TORCH_213 = Key(
    os="linux",
    arch="x86_64",
    libc="glibc-2.35",
    python="3.12",
    torch="2.13.0+cu130",
    torch_cuda="13.0",
    torch_release=True,
    cxx11abi=True,
    capabilities=("8.9",),
)
TORCH_212 = msgspec.structs.replace(TORCH_213, torch="2.12.1", capabilities=("9.0",))
CHOICES = json.loads((Path(__file__).parent / "hub_choices.json").read_text(encoding="utf-8"))


def but(key: Key, **changes: object) -> Key:
    return msgspec.structs.replace(key, **changes)


def names(key: Key, repo: str) -> list[str]:
    return [one.name for one in hub_variants(key, repo)]


# --- the Hub


def test_the_rule_is_that_of_the_package_kernels() -> None:
    """Its own answers, on 448 systems: the same builds in the same order."""
    kernel = hub_kernels.kernel(FA2)
    assert kernel is not None
    offered = [variants._variant(kernel, name, "seen", "") for name in CHOICES["names"]]
    assert len(CHOICES["rows"]) == 448
    for os, arch, torch, cuda, new_abi, wanted in CHOICES["rows"]:
        abi = new_abi if os == "linux" else None
        key = but(TORCH_213, os=os, arch=arch, torch=f"{torch}.0", torch_cuda=cuda, cxx11abi=abi, libc=None)
        found = sorted((one for one in offered if variants._fits(one, key)), key=variants._preference)
        assert [one.name for one in found] == [CHOICES["names"][at] for at in wanted], key


def test_a_build_for_the_stable_abi_goes_first_and_serves_later_torch() -> None:
    first, second = hub_variants(TORCH_213, FA2)
    assert (first.name, first.evidence, first.torch) == ("torch-stable-abi210-cu130-x86_64-linux", "seen", "2.10")
    assert (second.name, second.evidence) == ("torch213-cxx11-cu130-x86_64-linux", "must-build")
    assert second.as_of == "2026-08-20"
    later = hub_variants(but(TORCH_213, torch="2.15.0", torch_cuda="13.2"), FA2)
    assert [one.cuda for one in later] == ["13.2", "13.0"]
    assert all(one.stable_abi for one in later)


def test_the_cuda_major_decides_and_a_newer_minor_of_torch_does_no_harm() -> None:
    assert names(but(TORCH_213, torch_cuda="12.6", torch="2.13.0+cu126"), FA2) == ["torch213-cxx11-cu126-x86_64-linux"]
    assert names(but(TORCH_213, torch_cuda="12.9"), SAGE) == []
    assert hub_refusal(but(TORCH_213, torch_cuda="11.8"), FA2) == "its builds start at CUDA 12.6; torch is CUDA 11.8"


@pytest.mark.parametrize("repo", [FA3, VLLM_FA3])
def test_flash_attn_3_ends_at_cuda_130(repo: str) -> None:
    key = but(TORCH_213, torch="2.13.0+cu132", torch_cuda="13.2", capabilities=("9.0",))
    assert {one.cuda for one in hub_variants(key, repo)} == {"13.0"}
    assert {one.cuda for one in hub_variants(but(key, capabilities=("9.0",)), FA2)} == {"13.2", "13.0"}
    assert hub_refusal(but(key, torch_cuda="14.0"), repo) == "its builds end at CUDA 13.0; torch is CUDA 14.0"


@pytest.mark.parametrize(
    ("repo", "capability", "said"),
    [
        (FA2, "7.5", "no code for 7.5"),
        (FA2, "11.0", "no code for 11.0"),
        (FA3, "12.0", "no code for 12.0"),
        (FA4, "7.5", "not made for 7.5"),
        (SAGE, "12.0", "no code for 12.0"),
    ],
)
def test_the_gpu_counts(repo: str, capability: str, said: str) -> None:
    key = but(TORCH_213, capabilities=("9.0",))
    assert hub_variants(key, repo)
    assert hub_refusal(key, repo) is None
    for gpus in ((capability,), ("9.0", capability)):
        assert hub_variants(but(key, capabilities=gpus), repo) == ()
        assert said in str(hub_refusal(but(key, capabilities=gpus), repo))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"torch": None, "torch_cuda": None}, "no torch with CUDA"),
        ({"torch": "2.13.0+cpu", "torch_cuda": None}, "no torch with CUDA"),
        ({"torch": "2.14.0.dev20260601+cu130", "torch_release": False}, "no release of PyTorch's own"),
        ({"os": "macos", "libc": None}, "not for macos"),
        ({"os": "windows", "libc": None}, "no build for windows is known"),
        ({"libc": "musl-1.2"}, "this system has musl"),
        ({"libc": "glibc-2.17"}, "need glibc 2.28; this system has 2.17"),
        ({"python": "3.14t"}, "free-threaded Python from 3.15 on only"),
        ({"python": "3.8"}, "need Python 3.9"),
        ({"torch": "2.8.0", "torch_cuda": "12.8"}, "is not known; of 2026-08-20 it is known for torch 2.12 and 2.13"),
        ({"torch": "2.14.0", "arch": "aarch64", "torch_cuda": "12.9"}, "is not known"),
    ],
)
def test_none_is_offered_and_why(changes: dict[str, object], said: str) -> None:
    key = but(TORCH_213, **changes)
    assert hub_variants(key, FA2) == ()
    assert said in str(hub_refusal(key, FA2))


def test_what_is_python_only_needs_neither_glibc_nor_the_lock() -> None:
    assert names(but(TORCH_213, python="3.14t", torch="2.9.0", torch_cuda="12.8"), FA4) == ["torch-cuda"]
    assert names(but(TORCH_213, libc="musl-1.2"), FA4) == []
    assert names(but(TORCH_213, os="windows", libc=None), FA4) == []
    assert names(but(TORCH_213, python="3.15t"), FA2) != []


def test_the_old_cxx_abi_takes_no_build_for_the_new_one() -> None:
    old = but(TORCH_213, cxx11abi=False)
    assert all(one.stable_abi for one in hub_variants(old, FA2))
    assert names(but(old, torch_cuda="12.6"), FA2) == []


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("torch213-cxx11-cu130-x86_64-linux", ("2", "13", "cxx11", "cu130", "x86_64", "linux")),
        ("torch213-cu130-x86_64-windows", ("2", "13", None, "cu130", "x86_64", "windows")),
        ("torch-stable-abi29-cu126-aarch64-linux", ("2", "9", None, "cu126", "aarch64", "linux")),
    ],
)
def test_names_of_builds(name: str, parts: tuple[str | None, ...]) -> None:
    found = variants.parse_variant(name)
    assert found is not None
    assert tuple(found[one] for one in ("major", "minor", "abi", "cuda", "arch", "os")) == parts


@pytest.mark.parametrize(
    "name", ["torch-cuda", "torch213-cxx11-cpu-x86_64-linux", "torch213-cxx11-rocm72-x86_64-linux", "", "torch213"]
)
def test_names_that_are_of_no_cuda_build(name: str) -> None:
    assert variants.parse_variant(name) is None


def test_every_build_asked_of_a_kernel_is_read() -> None:
    rows = catalogue.read_rows("hf-kernels", variants.MustBuild)
    cuda = [row for row in rows if row.backend == "cuda"]
    assert (len(rows), len(cuda)) == (26, 12)
    assert all(variants.parse_variant(row.variant) for row in cuda)


# --- the table of kernels


def test_every_name_seen_can_be_read_and_belongs_to_a_kernel() -> None:
    table = hub_kernels.table()
    for row in table.builds:
        assert hub_kernels.kernel(row.repo) is not None
        assert all(name == variants.NOARCH or variants.parse_variant(name) for name in row.names)
    assert {row.repo for row in table.frameworks} <= {row.repo for row in table.kernels}
    assert hub_kernels.kernel("nobody/nothing") is None
    assert hub_refusal(TORCH_213, "nobody/nothing") == "nobody/nothing is not in the table of kernels"
    assert [row.repo for row in hub_kernels.kernels_of("flash_attention_3")] == [FA3, VLLM_FA3]


@pytest.mark.parametrize(
    ("distribution", "version", "repo", "kernels"),
    [
        ("transformers", "5.23.0", FA2, ">=0.18.2,<0.19"),
        ("transformers", "5.20.1", FA2, ">=0.10.2"),
        ("transformers", "5.1.0", FA2, ">=0.9.0"),
        ("transformers", "4.57.6", FA2, None),
        ("transformers", "5.1.0", FA4, None),
        ("diffusers", "0.42.1", FA4, ">=0.12.3"),
        ("diffusers", "0.30.0", FA2, None),
        ("vllm", "0.33.0", FA2, None),
    ],
)
def test_how_frameworks_take_a_kernel(distribution: str, version: str, repo: str, kernels: str | None) -> None:
    row = hub_kernels.named(distribution, version, repo)
    assert (row.kernels if row else None) == kernels


# --- conda-forge


def test_conda_forge_has_one_torch_and_two_cudas() -> None:
    (best,) = conda_builds(TORCH_212)
    assert (best.version, best.build_number, best.subdir, best.cuda, best.py) == (
        "2.8.3",
        5,
        "linux-64",
        "13.0",
        "3.12",
    )
    assert best.specs == ("flash-attn=2.8.3", "pytorch=2.12", "cuda-version=13.0")
    assert [build.cuda for build in conda_builds(but(TORCH_212, torch_cuda="12.9"))] == ["12.9"]
    assert [build.cuda for build in conda_builds(but(TORCH_212, torch=None, torch_cuda=None))] == ["13.0", "12.9"]
    assert [build.subdir for build in conda_builds(but(TORCH_212, arch="aarch64"))] == ["linux-aarch64"]


@pytest.mark.parametrize(
    "changes",
    [
        {"torch": "2.13.0"},
        {"torch_cuda": None},
        {"torch_cuda": "11.8"},
        {"python": "3.9"},
        {"python": "3.13t"},
        {"os": "windows", "libc": None},
        {"os": "macos", "libc": None},
        {"libc": "musl-1.2"},
        {"libc": "glibc-2.17"},
        {"capabilities": ("7.5",)},
        {"capabilities": ("11.0",)},
        {"capabilities": ("8.0", "7.5")},
    ],
)
def test_conda_forge_has_none(changes: dict[str, object]) -> None:
    assert conda_builds(TORCH_212)
    assert conda_builds(but(TORCH_212, **changes)) == ()
    assert conda_builds(TORCH_212, "xformers") == ()


def test_conda_forge_glibc_and_ptx() -> None:
    old = but(TORCH_212, torch=None, torch_cuda=None, libc="glibc-2.17")
    assert [build.cuda for build in conda_builds(old)] == ["12.9"]  # for CUDA 13 it asks for 2.28
    for capability in ("8.0", "8.6", "8.7", "8.9", "9.0", "10.3", "12.0", "12.1"):
        assert conda_builds(but(TORCH_212, capabilities=(capability,))), capability


# --- what `attn-doctor wheels` says


def answer(*keys: str, name: str = "fa2", options: tuple[str, ...] = (), conda: str | None = None) -> Any:
    document = json.loads(facts(*keys))
    if conda is not None:
        document["readings"]["python"]["value"]["kind"] = "conda"
        if "value" in document["readings"]["torch"]:
            document["readings"]["torch"]["value"]["installer"] = conda
    asked = ("wheels", name, "--facts", "-", "--format", "json", *options)
    return call(*asked, stdin=json.dumps(document)).json()


def about(said: str, document: Any) -> list[str]:
    return [note for note in document["notes"] if said in note]


L4, RTX5090 = "gpu=NVIDIA L4", "gpu=NVIDIA GeForce RTX 5090"


def test_the_hub_is_named_where_no_upstream_file_fits() -> None:
    (note,) = about("Hugging Face", answer(L4, "torch=2.14.0"))
    assert "torch-stable-abi210-cu130-x86_64-linux of kernels-community/flash-attn2 (version 3)" in note
    (note,) = about("Hugging Face", answer(L4, "torch=2.13.0", "pkg.transformers=5.23.0"))
    assert 'transformers 5.23.0 takes it with attn_implementation="kernels-community/flash-attn2"' in note
    assert note.endswith("needs kernels>=0.18.2,<0.19.")
    (note,) = about("Hugging Face", answer(L4, "torch=2.13.0+cu126"))
    assert "should have a build that fits, torch213-cxx11-cu126-x86_64-linux" in note
    assert "not looked at" in note


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ((L4, "torch=2.8.0"), ()),  # upstream has a file
        ((L4, "torch=2.10.0", "os=windows"), ()),
        ((L4, "torch=2.9.1+cu130", "python=3.14"), ()),  # what the Hub has for it is not known
        ((L4, "torch=2.14.0", "driver=535.183.01"), ()),  # torch itself does not run
        ((L4, "torch=2.14.0"), ("--version", "2.8.3")),
        ((L4, "torch=none"), ()),
        (("gpu=Tesla T4", "torch=2.14.0"), ()),
    ],
)
def test_the_hub_is_not_named(keys: tuple[str, ...], options: tuple[str, ...]) -> None:
    assert about("Hugging Face", answer(*keys, options=options)) == []


def test_conda_forge_is_named_in_a_conda_environment() -> None:
    keys = (L4, "torch=2.12.1")
    (note,) = about("conda-forge", answer(*keys, conda="conda"))
    assert note == (
        "conda-forge has flash-attn 2.8.3 for pytorch 2.12, CUDA 13.0 and Python 3.12: "
        "conda install -c conda-forge flash-attn=2.8.3 pytorch=2.12 cuda-version=13.0"
    )
    assert about("conda-forge", answer(L4, "torch=none", conda="conda"))
    assert about("conda-forge", answer(*keys, conda="pip")) == []  # conda would bring a torch of its own
    assert about("conda-forge", answer(*keys)) == []
    assert about("conda-forge", answer(*keys, name="fa1", conda="conda")) == []
    assert about("conda-forge", answer(*keys, name="xformers", conda="conda")) == []
