"""The embedded catalogue: small, quick, and made of names that were published."""

from __future__ import annotations

import os
import re
import time

import msgspec
import pytest

from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import Wheel, wheels
from attn_doctor.wheels.tables import GpuCodeRow

EVERYTHING = [wheel for package in catalogue.packages() for wheel in wheels(package)]


def named(package: str, filename: str) -> list[Wheel]:
    return [wheel for wheel in wheels(package) if wheel.filename == filename]


def test_the_packages() -> None:
    wanted = {"flash-attn", "flash-attn-3", "flash-attn-4", "flashinfer-cubin", "flashinfer-python", "sageattention"}
    assert wanted | {"sageattn3", "spas-sage-attn", "xformers"} == set(catalogue.packages())


def test_every_row_is_there() -> None:
    from_the_index = [wheel for wheel in wheels("xformers") if wheel.source == "pytorch-index"]
    assert len(EVERYTHING) - len(from_the_index) == 9919
    assert sum(wheel.source == "fa-official" for wheel in EVERYTHING) == 5741
    assert sum(wheel.source == "mjun0812" and wheel.package == "flash-attn" for wheel in EVERYTHING) == 3465


@pytest.mark.parametrize(
    ("tag", "count"), [("v2.8.3.post1", 50), ("v2.8.3", 53), ("v2.8.0.post2", 38), ("v2.8.1", 47), ("v2.8.2", 38)]
)
def test_releases_have_as_many_files_as_were_counted_elsewhere(tag: str, count: int) -> None:
    assert sum(wheel.source == "fa-official" and wheel.tag == tag for wheel in EVERYTHING) == count


def test_a_whole_row() -> None:
    (wheel,) = named("flash-attn", "flash_attn-2.8.3+cu12torch2.9cxx11abiTRUE-cp312-cp312-linux_x86_64.whl")
    assert (wheel.version, wheel.python_tag, wheel.abi_tag, wheel.platform) == (
        "2.8.3",
        "cp312",
        "cp312",
        "linux_x86_64",
    )
    assert (wheel.cuda, wheel.torch, wheel.cxx11abi, wheel.trust) == ("cu12", "2.9", True, "upstream")
    assert wheel.url == (
        "https://github.com/Dao-AILab/flash-attention/releases/download/v2.8.3/"
        "flash_attn-2.8.3%2Bcu12torch2.9cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
    )
    assert re.fullmatch("[0-9a-f]{64}", wheel.sha256 or "")
    assert wheel.evidence == "listed"


def test_every_name_ends_in_its_own_tags() -> None:
    for wheel in EVERYTHING:
        assert wheel.filename.endswith(f"-{wheel.python_tag}-{wheel.abi_tag}-{wheel.platform}.whl")


def test_every_url_ends_in_the_name_and_only_index_files_have_none() -> None:
    for wheel in EVERYTHING:
        if wheel.source == "pypi":
            assert wheel.url is None
            assert wheel.sha256 is not None
        else:
            assert wheel.url is not None
            assert wheel.url.replace("%2B", "+").endswith(f"/{wheel.filename}")
            assert "{" not in wheel.url
            assert "<" not in wheel.url


def test_hugging_face_urls_name_owner_and_repository() -> None:
    hosts = {wheel.url.split("/resolve/")[0] for wheel in EVERYTHING if wheel.source.startswith("hf:") and wheel.url}
    assert "https://huggingface.co/Kijai/PrecompiledWheels" in hosts


def test_f33_a_name_that_only_follows_the_pattern_is_not_there() -> None:
    # what upstream's own build script would guess for torch 2.9 on Python 3.11 and 3.13
    for python in ("cp311", "cp313"):
        guess = f"flash_attn-2.8.3+cu12torch2.9cxx11abiTRUE-{python}-{python}-linux_x86_64.whl"
        assert named("flash-attn", guess) == []
    assert named("flash-attn", "flash_attn-2.8.3.post1+cu13torch2.11cxx11abiTRUE-cp312-cp312-linux_x86_64.whl") == []


def test_f36_the_oldest_release_is_found_as_well() -> None:
    versions = {wheel.version for wheel in wheels("flash-attn")}
    assert {"1.0.9", "2.0.6", "2.3.2", "2.8.3.post1"} <= versions
    assert {wheel.version for wheel in wheels("flash-attn-4")} >= {"4.0.0b3", "4.0.0b36"}


def test_one_torch_minor_is_what_the_whole_list_says_of_it() -> None:
    whole = [wheel for wheel in wheels("flash-attn") if catalogue.serves_minor(wheel.torch, "2.8")]
    assert list(wheels("flash-attn", "2.8")) == whole
    assert {wheel.torch for wheel in whole} == {"2.8", "2.8.0"}
    assert wheels("flash-attn", "2.99") == ()
    assert wheels("no-such-package") == ()


def test_a_floor_serves_later_minors() -> None:
    assert catalogue.serves_minor(">=2.9", "2.13")
    assert not catalogue.serves_minor(">=2.9", "2.8")
    assert catalogue.serves_minor("2.1", "2.1")
    assert not catalogue.serves_minor("2.1", "2.10")


def test_f30_the_real_abi_beats_the_label() -> None:
    lying = [wheel for wheel in EVERYTHING if wheel.label_lies]
    assert len(lying) == 88
    assert all("cxx11abiFALSE" in wheel.filename and wheel.cxx11abi is True for wheel in lying)
    (honest,) = named("flash-attn", "flash_attn-2.7.4.post1+cu12torch2.6cxx11abiFALSE-cp312-cp312-linux_x86_64.whl")
    assert honest.cxx11abi is False


def test_the_abi_of_silent_linux_names_is_that_of_pip_torch() -> None:
    assert catalogue.pip_torch_abi("2.5.1", "12.4") is False
    assert catalogue.pip_torch_abi("2.6.0", "12.4") is False
    assert catalogue.pip_torch_abi("2.6.0", "12.6") is True
    assert catalogue.pip_torch_abi("2.6.0", None) is None
    assert catalogue.pip_torch_abi("2.10.0", None) is True


@pytest.mark.parametrize(
    ("filename", "code"),
    [
        ("flash_attn-2.0.6+cu117torch1.13cxx11abiFALSE-cp37-cp37-linux_x86_64.whl", ("sm_80",)),
        ("flash_attn-2.6.3+cu118torch2.4cxx11abiFALSE-cp311-cp311-linux_x86_64.whl", ("sm_80", "sm_90")),
        ("flash_attn-2.7.4.post1+cu12torch2.6cxx11abiFALSE-cp312-cp312-linux_x86_64.whl", ("sm_80", "sm_90")),
        (
            "flash_attn-2.8.3.post1+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl",
            ("sm_80", "sm_90", "sm_100", "sm_120"),
        ),
    ],
)  # fmt: skip
def test_gpu_code_of_official_files(filename: str, code: tuple[str, ...]) -> None:
    assert [wheel.gpu_code for wheel in named("flash-attn", filename)] == [code]


def test_gpu_code_is_a_limit_where_the_toolkit_was_not_published() -> None:
    (late,) = named("flash-attn", "flash_attn-2.7.4.post1+cu12torch2.7cxx11abiTRUE-cp312-cp312-linux_x86_64.whl")
    assert (late.gpu_code, late.gpu_limit) == (None, ("sm_80", "sm_90"))


def test_every_flash_attn_file_has_a_word_on_its_gpu_code() -> None:
    assert all(wheel.gpu_code or wheel.gpu_limit for wheel in wheels("flash-attn"))
    assert all(wheel.gpu_limit == ("sm_80", "sm_90a") for wheel in wheels("flash-attn-3"))


def test_glibc_comes_from_the_tag_or_from_the_runner() -> None:
    by_platform = {wheel.platform: wheel.needs_glibc for wheel in wheels("flash-attn-3")}
    assert by_platform["manylinux_2_34_aarch64"] == "2.34"
    assert by_platform["manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64"] == "2.17"
    assert by_platform["win_amd64"] is None
    official = {wheel.version: wheel.needs_glibc for wheel in EVERYTHING if wheel.source == "fa-official"}
    assert (official["2.6.3"], official["2.8.0"], official["2.8.0.post1"]) == ("2.31", "2.31", "2.32")


def test_the_index_holds_xformers_for_other_cuda_versions() -> None:
    index = {(wheel.tag, wheel.filename): wheel for wheel in wheels("xformers") if wheel.source == "pytorch-index"}
    listed = index["cu130", "xformers-0.0.35-py39-none-manylinux_2_28_x86_64.whl"]
    assert listed.url == "https://download.pytorch.org/whl/cu130/xformers-0.0.35-py39-none-manylinux_2_28_x86_64.whl"
    assert (listed.evidence, listed.confidence, listed.torch, listed.sha256) == ("listed", "high", ">=2.10", None)
    derived = index["cu118", "xformers-0.0.31.post1-cp39-abi3-manylinux_2_28_x86_64.whl"]
    assert (derived.evidence, derived.confidence, derived.cuda) == ("derived-from-matrix", "medium", "cu118")
    # no Windows file below cu124, and no name with a CUDA suffix but the three that were seen
    assert not [key for key in index if key[0] == "cu118" and key[1].endswith("win_amd64.whl")]
    assert sum("+" in filename for _, filename in index) == 3
    # the build that the package index has is not listed twice
    assert not [key for key, wheel in index.items() if wheel.version == "0.0.35" and key[0] == "cu128"]
    untold = catalogue.IndexVariant("1", "2.9.0", "cu128", ("cu130",), "pytorch-index", "derived-from-matrix")
    assert not catalogue._in_index(untold, "cu130", "win_amd64")


def test_versions_sort_as_versions() -> None:
    ordered = ["2.7.4.post1", "2.8.0", "2.8.0.post2", "2.8.3", "2.8.3.post1", "2.10.0", "4.0.0b9", "4.0.0b36", "4.0.0"]
    assert sorted(set(ordered), key=catalogue.version_key) == ordered


def test_cuda_tokens() -> None:
    assert [catalogue.cuda_version(token) for token in ("cu128", "cu12", "cu118", None)] == ["12.8", "12", "11.8", None]


def test_f35_the_catalogue_knows_its_date() -> None:
    day = re.compile(r"20\d\d-\d\d-\d\d")
    assert day.fullmatch(catalogue.as_of())
    assert {wheel.as_of for wheel in EVERYTHING if wheel.source == "fa-official"} == {"2026-08-15"}
    assert all(day.fullmatch(wheel.as_of) and wheel.as_of <= catalogue.as_of() for wheel in EVERYTHING)


def test_it_stays_small() -> None:
    with os.scandir(catalogue.FOLDER) as entries:
        assert sum(entry.stat().st_size for entry in entries) < 700_000


def test_one_torch_minor_costs_no_more_than_its_share() -> None:
    def cold(torch_minor: str | None) -> float:
        catalogue._shelf_wheels.cache_clear()
        start = time.process_time()
        wheels("flash-attn", torch_minor)
        return time.process_time() - start

    # measured 2 ms and 15 ms; the bounds leave room for a busy machine
    assert min(cold("2.8") for _ in range(5)) < 0.01
    assert min(cold(None) for _ in range(5)) < 0.1
    catalogue._shelf_wheels.cache_clear()
    wheels("flash-attn", "2.8")
    assert catalogue._shelf_wheels.cache_info().currsize == 1


def test_a_file_of_the_index_has_the_code_of_its_toolkit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory `cu126` is a toolkit of 12.6: rows that go by the toolkit count for it."""
    old = GpuCodeRow("xformers", "test", as_of="2026-11-25", toolkit_before="12.8", limit=("sm_80",))
    facts = catalogue.build_facts()
    rows = (old, *facts.gpu_code)
    monkeypatch.setattr(catalogue, "build_facts", lambda: msgspec.structs.replace(facts, gpu_code=rows))
    catalogue._gpu_code.cache_clear()
    try:
        every = [wheel for wheel in catalogue.embedded_index_wheels() if wheel.version == "0.0.32.post2"]
    finally:
        catalogue._gpu_code.cache_clear()
    assert {(wheel.cuda, wheel.gpu_limit == ("sm_80",)) for wheel in every} == {("cu126", True), ("cu129", False)}
