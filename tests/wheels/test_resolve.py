"""Which files fit: the wrong ones users get elsewhere must never come, the right ones come first."""

from __future__ import annotations

import msgspec
import pytest

from attn_doctor.wheels.catalogue import Wheel, wheels
from attn_doctor.wheels.resolve import Key, _rank, fits, fits_gpus, fits_platform, fits_python, fitting, serves

TORCH_28 = Key(
    os="linux",
    arch="x86_64",
    libc="glibc-2.35",
    python="3.12",
    torch="2.8.0+cu128",
    torch_cuda="12.8",
    torch_release=True,
    cxx11abi=True,
    capabilities=("8.6",),
)
TORCH_26_CU124 = msgspec.structs.replace(TORCH_28, torch="2.6.0+cu124", torch_cuda="12.4", cxx11abi=False)
TORCH_29_CU130 = msgspec.structs.replace(TORCH_28, torch="2.9.1+cu130", torch_cuda="13.0")
TORCH_27_CU118 = msgspec.structs.replace(TORCH_28, torch="2.7.1+cu118", torch_cuda="11.8", python="3.11")
TORCH_25_CU121 = msgspec.structs.replace(
    TORCH_28, torch="2.5.1+cu121", torch_cuda="12.1", python="3.11", cxx11abi=False
)
TORCH_213_CU130 = msgspec.structs.replace(TORCH_28, torch="2.13.0+cu130", torch_cuda="13.0")
WINDOWS = msgspec.structs.replace(TORCH_28, os="windows", libc=None, cxx11abi=False)


def but(key: Key, **changes: object) -> Key:
    return msgspec.structs.replace(key, **changes)


def names(found: tuple[Wheel, ...]) -> list[str]:
    return [wheel.filename for wheel in found]


def test_the_plain_case() -> None:
    best = fitting("flash-attn", TORCH_28)[0]
    assert best.filename == "flash_attn-2.8.3.post1+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
    assert best.trust == "upstream"


# F30: the C++ ABI, as torch reports it and as the file really has it


def test_f30_torch_26_cu124_gets_the_last_release_with_the_old_abi() -> None:
    found = fitting("flash-attn", TORCH_26_CU124)
    assert found[0].filename == "flash_attn-2.7.4.post1+cu12torch2.6cxx11abiFALSE-cp312-cp312-linux_x86_64.whl"
    assert not [wheel for wheel in found if wheel.source == "fa-official" and wheel.version.startswith("2.8")]
    assert all(wheel.cxx11abi is False for wheel in found)


def test_f30_torch_26_cu126_has_the_new_abi() -> None:
    key = but(TORCH_26_CU124, torch="2.6.0+cu126", torch_cuda="12.6", cxx11abi=True)
    assert fitting("flash-attn", key)[0].version == "2.8.3.post1"


def test_f30_of_two_equal_files_the_honest_name_goes_first() -> None:
    first, second = names(fitting("flash-attn", TORCH_28))[:2]
    assert (first.count("abiTRUE"), second.count("abiFALSE")) == (1, 1)
    assert first.replace("TRUE", "FALSE") == second


def test_f30_an_old_file_for_the_old_abi_never_fits_new_torch() -> None:
    key = but(TORCH_25_CU121, cxx11abi=True)  # torch 2.5 of a distribution
    assert {wheel.cxx11abi for wheel in fitting("flash-attn", key)} == {True}


def test_an_abi_nobody_asked_for_is_only_assumed_where_all_builds_agree() -> None:
    assert fitting("flash-attn", but(TORCH_28, cxx11abi=None)) == fitting("flash-attn", TORCH_28)
    assert fitting("flash-attn", but(TORCH_25_CU121, cxx11abi=None)) == ()


def test_on_windows_the_abi_never_excludes() -> None:
    found = fitting("flash-attn", WINDOWS)
    assert found[0].filename.endswith("-cp312-cp312-win_amd64.whl")
    assert found == fitting("flash-attn", but(WINDOWS, cxx11abi=True))
    assert fits(msgspec.structs.replace(found[0], cxx11abi=True), WINDOWS)


# F31: the CUDA major


def test_f31_torch_cu130_gets_cu13_from_upstream() -> None:
    found = fitting("flash-attn", TORCH_29_CU130)
    assert found[0].filename == "flash_attn-2.8.3+cu13torch2.9cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
    assert found[0].trust == "upstream"
    assert all(wheel.cuda is not None and wheel.cuda.startswith("cu13") for wheel in found)


def test_f31_torch_cu128_gets_cu12() -> None:
    key = but(TORCH_29_CU130, torch="2.9.1+cu128", torch_cuda="12.8")
    assert fitting("flash-attn", key)[0].cuda == "cu12"
    assert all(wheel.cuda is not None and wheel.cuda.startswith("cu12") for wheel in fitting("flash-attn", key))


def test_the_exact_cuda_minor_goes_before_the_others() -> None:
    key = but(TORCH_213_CU130, torch="2.12.0+cu130", torch_cuda="13.0")
    cudas = [wheel.cuda for wheel in fitting("flash-attn", key) if wheel.source == "mjun0812"]
    assert cudas[0] == "cu130"
    key = but(key, torch_cuda="13.2")
    assert fitting("flash-attn", key)[0].cuda == "cu132"


def test_cu118_with_torch_27_is_served_by_the_community_only() -> None:
    found = fitting("flash-attn", TORCH_27_CU118)
    assert found[0].version == "2.7.4.post1"
    assert {(wheel.trust, wheel.cuda) for wheel in found} == {("community", "cu118")}
    assert fitting("flash-attn", but(TORCH_27_CU118, python="3.13")) == ()


# F32: torch decides, and it has to be a release with CUDA


@pytest.mark.parametrize("package", ["flash-attn", "flash-attn-3", "xformers", "sageattention"])
@pytest.mark.parametrize(
    "changes",
    [
        {"torch": "2.9.1+cpu", "torch_cuda": None},
        {"torch": "2.9.1+rocm6.4", "torch_cuda": None},
        {"torch": None, "torch_cuda": None},
        {"torch": "2.9.0a0+34c6371d24.nv25.08", "torch_release": False},
    ],
)
def test_f32_nothing_compiled_without_a_cuda_release_of_torch(package: str, changes: dict[str, object]) -> None:
    key = but(TORCH_29_CU130, capabilities=("9.0",))
    windows = but(key, os="windows", libc=None)
    assert fitting(package, key) or fitting(package, windows)
    assert fitting(package, but(key, **changes)) == ()
    assert fitting(package, but(windows, **changes)) == ()


# F33, F36: only published names, from the whole list


def test_f33_no_file_was_published_so_none_is_offered() -> None:
    official = [
        wheel for wheel in fitting("flash-attn", but(TORCH_29_CU130, python="3.13")) if wheel.trust == "upstream"
    ]
    assert official == []


def test_f33_torch_newer_than_every_official_file() -> None:
    found = fitting("flash-attn", TORCH_213_CU130)
    assert found
    assert {wheel.trust for wheel in found} == {"community"}
    assert found[0].public_recipe  # a build anyone can read before a personal upload, though that is newer
    assert "hf:RedMod/wheels" in {wheel.source for wheel in found}


def test_f36_old_torch_finds_its_old_release() -> None:
    key = but(TORCH_25_CU121, torch="1.13.1+cu117", torch_cuda="11.7", python="3.10")
    assert fitting("flash-attn", key)[0].version == "2.5.9.post1"  # 2.6.0 dropped torch 1.13


# F34: the tags


@pytest.mark.parametrize("python", ["3.9", "3.10", "3.11", "3.12", "3.13"])
def test_f34_the_python_tag_decides(python: str) -> None:
    tag = "cp" + python.replace(".", "")
    found = fitting("flash-attn", but(TORCH_28, python=python))
    assert found
    assert {(wheel.python_tag, wheel.abi_tag) for wheel in found} == {(tag, tag)}


def test_f34_no_official_file_for_python_314() -> None:
    key = but(TORCH_29_CU130, python="3.14")
    assert fitting("flash-attn", key)
    assert {wheel.trust for wheel in fitting("flash-attn", key)} == {"community"}


def test_f34_free_threaded_python_takes_only_its_own() -> None:
    found = fitting("flash-attn", but(TORCH_29_CU130, python="3.13t"))
    assert {(wheel.python_tag, wheel.abi_tag) for wheel in found} == {("cp313", "cp313t")}
    gil = fitting("flash-attn", but(TORCH_29_CU130, python="3.13"))
    assert {wheel.abi_tag for wheel in gil} == {"cp313"}


def test_f34_abi3_serves_later_pythons_with_the_gil() -> None:
    (wheel, *_) = (one for one in wheels("flash-attn-3") if one.abi_tag == "abi3")
    assert [fits_python(wheel, python) for python in ("3.8", "3.9", "3.14", "3.14t")] == [False, True, True, False]


def test_f34_requires_python_counts() -> None:
    key = but(TORCH_29_CU130, capabilities=("10.0",))
    assert fitting("flash-attn-4", key)[0].version == "4.0.0b36"
    assert fitting("flash-attn-4", but(key, python="3.9")) == ()
    assert fitting("flash-attn-4", but(key, os="windows", libc=None)) == ()


# GPU code


@pytest.mark.parametrize(
    ("target", "capability", "runs"),
    [
        ("sm_80", "8.9", True),
        ("sm_86", "8.0", False),
        ("sm_80", "9.0", False),
        ("sm_90a", "9.0", True),
        ("sm_90a", "9.1", False),
        ("sm_100", "10.3", True),
        ("sm_100", "12.0", False),
        ("sm_120", "12.1", True),
        ("sm_120", "11.0", False),
    ],
)
def test_what_a_cubin_serves(target: str, capability: str, *, runs: bool) -> None:
    assert serves(target, capability) is runs


@pytest.mark.parametrize(
    ("torch", "cuda"),
    [
        ("2.5.1+cu124", "12.4"),
        ("2.6.0+cu124", "12.4"),
        ("2.6.0+cu126", "12.6"),
        ("2.7.1+cu126", "12.6"),
        ("2.8.0+cu128", "12.8"),
    ],
)
def test_an_rtx_5090_never_gets_a_file_without_its_code(torch: str, cuda: str) -> None:
    for abi in (True, False):
        key = but(TORCH_28, torch=torch, torch_cuda=cuda, cxx11abi=abi, capabilities=("12.0",))
        for wheel in fitting("flash-attn", key):
            assert not (wheel.source == "fa-official" and wheel.version.startswith(("2.6", "2.7")))
            assert wheel.cuda not in {"cu118", "cu121", "cu124", "cu126"}
    assert fitting("flash-attn", but(TORCH_28, capabilities=("12.0",)))[0].version == "2.8.3.post1"


def test_every_gpu_of_the_machine_must_be_served() -> None:
    key = but(TORCH_27_CU118, torch="2.7.1+cu126", torch_cuda="12.6")
    old_release = next(wheel for wheel in fitting("flash-attn", key) if wheel.version == "2.7.4.post1")
    assert fits(old_release, but(key, capabilities=("8.6", "9.0")))
    assert not fits(old_release, but(key, capabilities=("8.6", "12.0")))


def test_unknown_gpu_code_excludes_nothing() -> None:
    wheel = wheels("sageattention")[0]
    assert wheel.gpu_code is None
    assert fits_gpus(wheel, ("7.5", "12.0"))


@pytest.mark.parametrize("capability", ["7.0", "7.5", "11.0"])
def test_turing_volta_and_thor_get_nothing_of_the_second_series(capability: str) -> None:
    for key in (TORCH_28, TORCH_29_CU130, TORCH_26_CU124, TORCH_25_CU121, WINDOWS):
        assert fitting("flash-attn", key)
        assert fitting("flash-attn", but(key, capabilities=(capability,))) == ()


def test_turing_gets_the_first_series() -> None:
    turing = but(TORCH_25_CU121, capabilities=("7.5",))
    assert (
        names(fitting("flash-attn", turing, series="1"))[0]
        == "flash_attn-1.0.9+cu121torch2.5-cp311-cp311-linux_x86_64.whl"
    )
    assert fitting("flash-attn", but(turing, capabilities=("7.0",)), series="1") == ()
    assert {wheel.version for wheel in fitting("flash-attn", turing, series="1")} == {"1.0.9"}
    assert "1.0.9" not in {wheel.version for wheel in fitting("flash-attn", TORCH_25_CU121)}


@pytest.mark.parametrize(("capability", "served"), [("9.0", True), ("10.0", False), ("12.0", False), ("7.5", False)])
def test_flash_attn_3_is_for_hopper(capability: str, *, served: bool) -> None:
    assert bool(fitting("flash-attn-3", but(TORCH_29_CU130, capabilities=(capability,)))) is served


# platform and libc


def test_musl_gets_nothing() -> None:
    for package in ("flash-attn", "flash-attn-3", "flash-attn-4", "xformers"):
        hopper = but(TORCH_29_CU130, capabilities=("9.0",))
        assert fitting(package, hopper)
        assert fitting(package, but(hopper, libc="musl-1.2")) == ()
    silent = next(one for one in fitting("flash-attn", TORCH_213_CU130) if one.needs_glibc is None)
    assert not fits(silent, but(TORCH_213_CU130, libc="musl-1.2"))


def test_old_glibc_takes_the_manylinux_twin() -> None:
    found = fitting("flash-attn", but(TORCH_28, libc="glibc-2.31"))
    assert not [wheel for wheel in found if wheel.source == "fa-official" and wheel.version.startswith("2.8")]
    assert "manylinux_2_24_x86_64" in found[0].platform
    assert fitting("flash-attn", but(TORCH_28, libc="glibc-2.32"))[0].source == "fa-official"


def test_glibc_is_compared_as_a_version() -> None:
    wheel = next(one for one in wheels("flash-attn", "2.8") if one.needs_glibc == "2.32")
    assert not fits_platform(wheel, but(TORCH_28, libc="glibc-2.9"))
    assert fits_platform(wheel, but(TORCH_28, libc="glibc-2.100"))


def test_each_architecture_takes_its_own() -> None:
    arm = but(TORCH_29_CU130, arch="aarch64", libc="glibc-2.39", capabilities=("9.0",))
    for package in ("flash-attn", "flash-attn-3"):
        assert fitting(package, arm)
        assert all(wheel.platform.endswith("_aarch64") for wheel in fitting(package, arm))
    assert fitting("flash-attn", but(arm, os="macos", libc=None)) == ()
    assert fitting("flash-attn", but(arm, os="windows", libc=None)) == ()


# order


def test_upstream_goes_before_a_newer_community_file_and_manylinux_before_plain() -> None:
    found = fitting("flash-attn", TORCH_26_CU124)
    trusts = [wheel.trust for wheel in found if ".dev" not in (wheel.built_with_torch or "")]
    assert set(trusts) == {"upstream", "community"}
    assert trusts == sorted(trusts, reverse=True)
    versions = [wheel.version for wheel in found]
    assert versions.index("2.7.4.post1") < versions.index("2.8.3")
    newest = [wheel for wheel in found if wheel.version == "2.8.3" and wheel.cuda == "cu124"]
    assert ["manylinux" in wheel.platform for wheel in newest] == sorted(
        ("manylinux" in wheel.platform for wheel in newest), reverse=True
    )


def test_doubtful_files_come_last() -> None:
    found = fitting("flash-attn", but(TORCH_28, torch="2.7.1+cu126", torch_cuda="12.6"))
    doubtful = [wheel.confidence == "low" for wheel in found]
    assert True in doubtful
    assert doubtful == sorted(doubtful)
    assert {wheel.tag for wheel in found if wheel.confidence == "low"} == {"v2.8.0"}


def test_files_built_against_unreleased_torch_come_last() -> None:
    key = but(TORCH_26_CU124, python="3.11")
    built = [".dev" in (wheel.built_with_torch or "") for wheel in fitting("flash-attn", key)]
    assert True in built
    assert built == sorted(built)


def test_one_name_of_one_host_comes_once_from_its_latest_release() -> None:
    found = fitting("flash-attn", TORCH_27_CU118)
    assert len(names(found)) == len(set(names(found)))
    assert {wheel.tag for wheel in found} == {"v0.0.8"}  # v0.0.7 has the same names


def test_an_official_name_is_taken_from_its_own_release() -> None:
    # v2.8.3.post1 holds a second file under this name
    best = fitting("flash-attn", TORCH_29_CU130)[0]
    assert best.tag == "v2.8.3"
    same_name = [wheel for wheel in wheels("flash-attn", "2.9") if wheel.filename == best.filename]
    later = msgspec.structs.replace(best, tag="v2.8.3.post1")
    assert {wheel.tag for wheel in same_name} == {"v2.8.3", "v2.8.3.post1"}
    assert _rank(best, TORCH_29_CU130) < _rank(later, TORCH_29_CU130)


def test_a_build_for_this_very_patch_goes_first() -> None:
    for torch in ("2.9.0", "2.9.1"):
        key = but(WINDOWS, torch=f"{torch}+cu130", torch_cuda="13.0", python="3.13")
        built = [one.torch for one in fitting("flash-attn", key) if one.source.startswith("hf:")]
        assert built == [torch, "2.9.1" if torch == "2.9.0" else "2.9.0"]


# xformers: an exact pin, a floor, and one CUDA build through the package index


@pytest.mark.parametrize(
    ("torch", "cuda", "version", "source", "tag"),
    [
        ("2.13.0+cu130", "13.0", "0.0.35", "pytorch-index", "cu130"),
        ("2.11.0+cu128", "12.8", "0.0.35", "pypi", None),
        ("2.9.0+cu130", "13.0", "0.0.33.post1", "pytorch-index", "cu130"),
        ("2.9.1+cu128", "12.8", "0.0.33.post2", "pypi", None),
        ("2.9.0+cu128", "12.8", "0.0.33.post1", "pypi", None),
        ("2.7.1+cu118", "11.8", "0.0.31.post1", "pytorch-index", "cu118"),
        ("2.7.0+cu126", "12.6", "0.0.30", "pypi", None),
    ],
)
def test_xformers(torch: str, cuda: str, version: str, source: str, tag: str | None) -> None:
    best = fitting("xformers", but(TORCH_28, torch=torch, torch_cuda=cuda))[0]
    assert (best.version, best.source, best.tag) == (version, source, tag)


def test_xformers_from_the_package_index_is_no_use_to_torch_cu130() -> None:
    assert "pypi" not in {wheel.source for wheel in fitting("xformers", TORCH_213_CU130)}


def test_xformers_pins_the_patch_release() -> None:
    assert {wheel.torch for wheel in fitting("xformers", TORCH_29_CU130)} == {"2.9.1"}
    assert fitting("xformers", but(TORCH_29_CU130, torch="2.9.7+cu130")) == ()
    # 2.6.0+cu124 has the old ABI, and so have the wheels built against it
    assert fitting("xformers", TORCH_26_CU124)[0].version == "0.0.29.post3"
    other_build = fitting("xformers", but(TORCH_26_CU124, cxx11abi=True))
    assert {wheel.tag for wheel in other_build} == {"cu126"}


# sageattention: Windows, floors, rebuilds


def test_sageattention_floors_and_rebuilds() -> None:
    later = fitting("sageattention", but(WINDOWS, torch="2.12.0+cu130", torch_cuda="13.0"))
    assert later[0].torch == ">=2.10.0"
    rebuilt = [wheel.filename for wheel in fitting("sageattention", WINDOWS) if wheel.torch == "2.8.0"]
    assert rebuilt.index("sageattention-2.2.0+cu128torch2.8.0.post3-cp39-abi3-win_amd64.whl") < rebuilt.index(
        "sageattention-2.2.0+cu128torch2.8.0.post2-cp39-abi3-win_amd64.whl"
    )


def test_sageattn3_torch_written_without_dots() -> None:
    found = fitting("sageattn3", but(WINDOWS, torch="2.7.1+cu128", capabilities=("12.0",)))
    assert names(found) == ["sageattn3-1.0.0+cu128torch271-cp312-cp312-win_amd64.whl"]


# laws


@pytest.mark.parametrize("key", [TORCH_28, TORCH_26_CU124, TORCH_29_CU130, TORCH_27_CU118, TORCH_213_CU130, WINDOWS])
def test_asking_more_of_a_file_never_brings_more_files(key: Key) -> None:
    fewer = set(names(fitting("flash-attn", but(key, capabilities=(*key.capabilities, "12.0")))))
    assert fewer <= set(names(fitting("flash-attn", key)))
    older = set(names(fitting("flash-attn", but(key, libc=key.libc and "glibc-2.28"))))
    assert older <= set(names(fitting("flash-attn", key)))


@pytest.mark.parametrize(
    ("specifier", "python", "fits"),
    [
        ("<=3.12", "3.12", True),
        ("<=3.11", "3.12", False),
        ("==3.12", "3.12", True),
        ("!=3.12", "3.12", False),
        (">3.11,<3.13", "3.12", True),
        ("~=3.10", "3.12", True),
        ("<4.0,>=3.10", "3.13t", True),
        (">=3.10", "3.9", False),
    ],
)
def test_any_requirement_of_python_counts(specifier: str, python: str, fits: bool) -> None:
    wheel = wheels("flash-attn-4")[0]
    assert fits_python(msgspec.structs.replace(wheel, requires_python=specifier), python) is fits
