"""AD201 to AD204: which CUDA toolkit a build would take; the trees are real, the probe that reads them too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attn_doctor.machine.gather import Facts
from rules.rooted import Rooted, finding, found, imagined, plant, read, toolkit

TORCH = "torch=2.8.0"  # CUDA 12.8
CUDA = "/usr/local/cuda-12.8"
HOME = "/usr/local/cuda"
WRAPPER = '#!/bin/sh\nexec /usr/local/cuda-12.8/bin/nvcc "$@"\n'
DEBIAN = "/usr/lib/nvidia-cuda-toolkit"
DEBIAN_FILES = {
    "/usr/bin/nvcc": f'#!/bin/sh\nexec {DEBIAN}/bin/nvcc "$@"\n',
    f"{DEBIAN}/bin/nvcc": "\x7fELF",
    f"{DEBIAN}/version.json": '{"cuda": {"version": "12.0.1"}}',
    "/usr/include/cuda_runtime.h": "",
    "/usr/lib/x86_64-linux-gnu/libcudart.so": "",
}
CODES = ("AD201", "AD202", "AD203", "AD204")


def facts(
    tree: Path, files: dict[str, str], links: dict[str, str] | None = None, torch: str = TORCH, **env: str
) -> Facts:
    host = Rooted(plant(tree, files, links), env)
    readings: dict[str, Any] = {name: read(name, host) for name in ("toolkits", "environment")}
    return imagined("gpu=NVIDIA GeForce RTX 3090", torch, **readings)


def silent(of: Facts, *but: str) -> None:
    assert {code: one for code in CODES if code not in but and (one := finding(code, of))} == {}


HEALTHY = {
    "the link": ({}, {HOME: CUDA}, {}),
    "on PATH": ({}, {}, {"PATH": f"{CUDA}/bin:/usr/bin"}),
    "CUDA_HOME": ({}, {HOME: CUDA}, {"CUDA_HOME": HOME}),
    "CUDA_HOME with a slash": ({}, {HOME: CUDA}, {"CUDA_HOME": HOME + "/"}),
    "CUDA_PATH": ({}, {}, {"CUDA_PATH": CUDA}),
    "a wrapper and CUDA_HOME": ({"/usr/local/bin/nvcc": WRAPPER}, {}, {"CUDA_HOME": CUDA}),
    "CUDA_HOME empty": ({}, {HOME: CUDA}, {"CUDA_HOME": ""}),
    "the distribution's, and no other": (DEBIAN_FILES, {}, {"PATH": "/usr/bin"}),
    "the distribution's, CUDA_HOME says another": (DEBIAN_FILES, {}, {"PATH": "/usr/bin", "CUDA_HOME": CUDA}),
}


@pytest.mark.parametrize(("files", "links", "env"), HEALTHY.values(), ids=HEALTHY)
def test_healthy(tmp_path: Path, files: dict[str, str], links: dict[str, str], env: dict[str, str]) -> None:
    only_debian = files is DEBIAN_FILES and "CUDA_HOME" not in env
    silent(facts(tmp_path, files if only_debian else toolkit(CUDA, "12.8") | files, links, **env))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (":/usr/local/cuda-12.8", "begins with a colon"),
        ("/usr/local/cuda-12.8:/opt/cuda", "is a list"),
        ('"/usr/local/cuda-12.8"', "quotes or blanks"),
        (" /usr/local/cuda-12.8", "quotes or blanks"),
        ("~/cuda", "not expanded"),
        ("/usr/local/cuda-12.8/bin", "not the folder above bin"),
        ("/usr/local/cuda-12.8/bin/nvcc", "not the folder above bin"),
    ],
)
def test_cuda_home_that_cannot_be_right(tmp_path: Path, value: str, said: str) -> None:
    of = facts(tmp_path, toolkit(CUDA, "12.8"), CUDA_HOME=value)
    answer = found("AD201", of)
    assert answer.severity == "warning"
    assert said in answer.detail
    assert answer.fix == (f"export CUDA_HOME={CUDA} PATH={CUDA}/bin:$PATH",)
    silent(of, "AD201")


def test_cuda_home_without_a_compiler_may_be_set_for_something_else(tmp_path: Path) -> None:
    answer = found("AD201", facts(tmp_path, {"/opt/runtime/lib64/libcudart.so.12": ""}, CUDA_PATH="/opt/runtime"))
    assert answer.severity == "info"
    assert "CUDA_PATH='/opt/runtime' holds no bin/nvcc" in answer.detail
    assert answer.fix == ("unset CUDA_PATH",)


def test_cuda_home_of_a_wrapper(tmp_path: Path) -> None:
    files = toolkit(CUDA, "12.8") | {"/usr/local/bin/nvcc": WRAPPER}
    answer = found("AD201", facts(tmp_path, files, CUDA_HOME="/usr/local"))
    assert f"only leads to {CUDA}" in answer.detail
    assert answer.severity == "info"


def test_cuda_home_matters_to_no_cpu_torch(tmp_path: Path) -> None:
    silent(facts(tmp_path, toolkit(CUDA, "12.8"), torch="torch=2.8.0+cpu", CUDA_HOME=":/x"))


@pytest.mark.parametrize("wrapped", [True, False], ids=["script", "link"])
def test_the_guess_behind_a_wrapper_or_a_link(tmp_path: Path, wrapped: bool) -> None:
    files = toolkit(CUDA, "12.8") | ({"/usr/local/bin/nvcc": WRAPPER} if wrapped else {})
    of = facts(tmp_path, files, {} if wrapped else {"/usr/local/bin/nvcc": f"{CUDA}/bin/nvcc"})
    answer = found("AD202", of)
    assert answer.severity == "info"
    assert (
        f"would take /usr/local for the CUDA toolkit, from the nvcc on PATH; that one only leads to {CUDA} (12.8)"
        in (answer.detail)
    )
    assert answer.fix == (f"export CUDA_HOME={CUDA} PATH={CUDA}/bin:$PATH",)
    silent(of, "AD202")


def test_the_guess_names_the_toolkit_of_torchs_major(tmp_path: Path) -> None:
    new = "/usr/local/cuda-13.0"
    files = toolkit(CUDA, "12.8") | toolkit(new, "13.0")
    answer = found("AD202", facts(tmp_path, files, {"/usr/local/bin/nvcc": f"{new}/bin/nvcc"}))
    assert answer.fix == (f"export CUDA_HOME={CUDA} PATH={CUDA}/bin:$PATH",)


@pytest.mark.parametrize(
    ("headers", "runtime", "lacks"),
    [
        (False, True, "include/cuda_runtime.h"),
        (True, False, "libcudart"),
        (False, False, "cuda_runtime.h and libcudart"),
    ],
)
def test_a_toolkit_of_which_parts_are_missing(tmp_path: Path, headers: bool, runtime: bool, lacks: str) -> None:
    of = facts(tmp_path, toolkit(CUDA, "12.8", headers=headers, runtime=runtime), {HOME: CUDA})
    answer = found("AD203", of)
    assert f"{CUDA}, which a build would take, has nvcc but lacks" in answer.detail
    assert lacks in answer.detail
    assert answer.severity == "info"
    silent(of, "AD203")


def test_one_that_no_build_would_take_may_lack_what_it_will(tmp_path: Path) -> None:
    wheel = "/venv/lib/python3.12/site-packages/nvidia/cuda_nvcc"
    files = toolkit(CUDA, "12.8") | toolkit(wheel, "12.8", headers=False, runtime=False)
    silent(facts(tmp_path, files, {HOME: CUDA}))


def test_the_headers_of_conda_lie_deeper(tmp_path: Path) -> None:
    conda = toolkit("/venv", "12.8", headers=False) | {"/venv/targets/x86_64-linux/include/cuda_runtime.h": ""}
    silent(facts(tmp_path, conda, PATH="/venv/bin"))


def test_an_older_nvcc_of_the_distribution_comes_first(tmp_path: Path) -> None:
    of = facts(tmp_path, DEBIAN_FILES | toolkit(CUDA, "12.8"), {HOME: CUDA}, PATH=f"/usr/bin:{CUDA}/bin")
    answer = found("AD204", of)
    assert "the distribution's nvcc 12.0 (/usr/bin/nvcc), before 12.8 in /usr/local/cuda-12.8" in answer.detail
    assert answer.fix == (f"export CUDA_HOME={CUDA} PATH={CUDA}/bin:$PATH",)
    assert answer.severity == "info"
    silent(of, "AD204")


@pytest.mark.parametrize(
    ("torch", "other", "path"),
    [
        (TORCH, "12.8", f"{CUDA}/bin:/usr/bin"),  # the newer one comes first
        (TORCH, "11.8", "/usr/bin"),  # the other is older
        ("torch=2.13.0", "12.8", "/usr/bin"),  # CUDA 13: neither is torch's
    ],
)
def test_the_distributions_nvcc_that_shadows_nothing_better(tmp_path: Path, torch: str, other: str, path: str) -> None:
    of = facts(tmp_path, DEBIAN_FILES | toolkit(CUDA, other), torch=torch, PATH=path)
    assert finding("AD204", of) is None


def test_without_a_toolkit_of_torchs_major_that_alone_is_said(tmp_path: Path) -> None:
    of = facts(tmp_path, toolkit(CUDA, "12.8"), {"/usr/local/bin/nvcc": f"{CUDA}/bin/nvcc"}, torch="torch=2.13.0")
    silent(of)
    assert found("AD214", of)
