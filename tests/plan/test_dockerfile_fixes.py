"""What `docker --check` names instead: the file that loads, the image that compiles, jobs that the memory holds.

Beside every fault stands a healthy file of the same kind; and all fixes of one judgement speak of the same versions.
"""

from __future__ import annotations

import re
from itertools import product

import pytest

from attn_doctor.judgement.view import Machine
from attn_doctor.machine import whatif
from attn_doctor.plan.dockerfile import judge
from attn_doctor.plan.dockerfile.base import image
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.shell import commands
from attn_doctor.wheels import catalogue

PYTORCH = "https://download.pytorch.org/whl/"
JAMMY = "FROM nvidia/cuda:12.4.1-devel-ubuntu22.04"
TORCH_26 = "RUN pip install torch==2.6.0"  # the package index has the build for CUDA 12.4
TORCH_28 = f"RUN pip install torch==2.8.0 --index-url {PYTORCH}cu128"
BUILD = "RUN pip install --no-build-isolation flash-attn=="
L4, RTX_5090 = ("gpu=NVIDIA L4", "driver=580.65.06"), ("gpu=NVIDIA GeForce RTX 5090", "driver=570.124.06")
OLD_GEFORCE = ("gpu=NVIDIA GeForce RTX 3090", "driver=550.144.03")


def findings(*lines: str, on: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    return judge("\n".join(lines) + "\n", Machine(whatif.simulate(["ram=256GiB", *on]))).findings


def rules(*lines: str, on: tuple[str, ...] = ()) -> list[tuple[str, int]]:
    return [(one.rule, one.line) for one in findings(*lines, on=on)]


# the file whose label lies


def test_the_file_that_is_fetched_has_another_abi_than_its_name_says() -> None:
    (one,) = findings(JAMMY, TORCH_26, f"{BUILD}2.8.3")
    assert (one.rule, one.line) == ("fetched-does-not-load", 3)
    assert "torch2.6, cxx11abiFALSE" in one.text
    assert "new C++ ABI, whatever its name says; torch has the old one (undefined symbol at import)" in one.text
    (fix,) = one.fix
    assert "v2.7.4.post1/flash_attn-2.7.4.post1%2Bcu12torch2.6cxx11abiFALSE-cp310-cp310-linux_x86_64.whl" in fix
    assert findings(JAMMY, TORCH_26, f"RUN {fix}") == ()


def test_every_file_of_the_catalogue_whose_label_lies_is_judged_by_what_it_has() -> None:
    """torch 2.6 of CUDA 12.4 has the old ABI; that of CUDA 12.6, and every torch since 2.7, the new one."""
    lying = {
        (wheel.version, minor)
        for minor in ("2.6", "2.7", "2.8")
        for wheel in catalogue.wheels("flash-attn", minor)
        if wheel.label_lies and wheel.python_tag == "cp310" and wheel.source == "fa-official"
    }
    assert lying
    for version, minor in lying:
        build = f"RUN MAX_JOBS=4 pip install --no-build-isolation flash-attn=={version}"
        old = rules(JAMMY, f"RUN pip install torch=={minor}.0 --index-url {PYTORCH}cu124", build)
        assert old == ([("fetched-does-not-load", 3)] if minor == "2.6" else []), version
        assert rules(JAMMY, f"RUN pip install torch=={minor}.0 --index-url {PYTORCH}cu126", build) == [], version


def test_without_the_python_the_release_is_named_that_fits() -> None:
    base = "FROM pytorch/pytorch:2.6.0-cuda12.4-cudnn9-devel"
    (one,) = findings(base, f"{BUILD}2.8.3")
    assert one.fix == ("pip install --no-build-isolation flash-attn==2.7.4.post1",)
    assert findings(base, f"RUN {one.fix[0]}") == ()
    assert findings(base.replace("12.4", "12.6"), f"{BUILD}2.8.3") == ()


def test_a_build_that_is_forced_fetches_nothing() -> None:
    for forced in ("FLASH_ATTENTION_FORCE_BUILD=TRUE", "FLASH_ATTN_LOCAL_VERSION=mine"):
        assert rules(JAMMY, TORCH_26, "ENV MAX_JOBS=4", f"ENV {forced}", f"{BUILD}2.8.3") == []
    # setup.py compares with TRUE alone
    for not_forced in ("FLASH_ATTENTION_FORCE_BUILD=1", "FLASH_ATTENTION_FORCE_BUILD=true"):
        assert rules(JAMMY, TORCH_26, f"ENV {not_forced}", f"{BUILD}2.8.3") == [("fetched-does-not-load", 4)]


def test_the_new_abi_asked_for_beside_a_torch_of_the_old_one() -> None:
    build = f"{BUILD}2.7.4.post1"
    assert rules(JAMMY, TORCH_26, build) == []
    forced = "ENV FLASH_ATTENTION_FORCE_CXX11_ABI=TRUE"
    assert rules(JAMMY, TORCH_26, forced, build) == [("fetched-does-not-load", 4)]


def test_what_is_fetched_has_no_code_for_the_gpu() -> None:
    torch = f"RUN pip install torch==2.7.1 --index-url {PYTORCH}cu128"
    base = "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04"
    (one,) = findings(base, torch, f"{BUILD}2.7.4.post1", on=RTX_5090)
    assert one.rule == "fetched-does-not-load"
    assert "no code for 12.0" in one.text
    assert "flash_attn-2.8" in one.fix[0]
    assert findings(base, torch, f"{BUILD}2.7.4.post1", on=L4) == ()
    assert findings(base, torch, f"{BUILD}2.8.3", on=RTX_5090) == ()


# no compiler


@pytest.mark.parametrize(
    ("base", "torch"),
    [
        ("FROM nvidia/cuda:12.8.1-runtime-ubuntu22.04", TORCH_28),
        ("FROM python:3.12-slim", TORCH_28),
        ("FROM python:3.11-slim", TORCH_28),
        ("FROM ubuntu:22.04", TORCH_26),
        ("FROM ubuntu:22.04", f"RUN pip install torch==2.9.1 --index-url {PYTORCH}cu130"),
    ],
)
def test_the_published_file_comes_first_and_a_compiler_second(base: str, torch: str) -> None:
    (one,) = findings(base, torch, f"{BUILD}2.8.3")
    assert (one.rule, one.line) == ("no-nvcc", 3)
    (wheel,) = [line for line in one.fix if line.startswith("pip install --no-deps ")]
    devel = [line for line in one.fix if line.startswith("FROM ")]
    assert findings(base, torch, f"RUN {wheel}") == ()
    assert all("-devel-" in line and one.fix.index(line) > one.fix.index(wheel) for line in devel)
    # the image beside the file has the Python that the file is for
    tag = f"cp{(image(base.split()[1]).python or '').replace('.', '')}-"
    assert tag in wheel
    assert all((image(line.split()[1]).python or "").replace(".", "") == tag[2:-1] for line in devel)


def test_the_devel_twin_of_an_image_with_a_torch_of_its_own() -> None:
    base = "FROM pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"
    (one,) = findings(base, f"{BUILD}2.8.3.post2")
    assert one.fix == (base.replace("runtime", "devel"),)
    assert findings(one.fix[0], "ENV MAX_JOBS=4", f"{BUILD}2.8.3.post2") == ()


def test_an_image_that_this_driver_refuses_only_compiles() -> None:
    lines = ("FROM debian:12", TORCH_28, f"{BUILD}2.8.3.post2")
    (one,) = findings(*lines, on=OLD_GEFORCE)
    assert one.fix[-1] == "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04 AS build"
    assert findings(*lines, on=L4)[0].fix == ("FROM nvidia/cuda:12.8.1-devel-ubuntu22.04",)


def test_no_file_and_no_compiler_help() -> None:
    lines = ("FROM ubuntu:22.04", f"RUN pip install torch==2.15.0 --index-url {PYTORCH}cu132", f"{BUILD}2.8.3.post2")
    (one,) = findings(*lines)
    assert one.fix == ()
    assert "A compiler would not help" in one.text
    assert "take a torch before 2.14" in one.text


def test_the_installer_of_the_file_is_kept() -> None:
    lines = ("FROM python:3.12-slim", f"RUN uv pip install --system torch==2.8.0 --index-url {PYTORCH}cu128")
    (one,) = findings(*lines, "RUN uv pip install --system --no-build-isolation flash-attn==2.8.3")
    assert one.fix[0].startswith('uv pip install --system --no-deps "flash-attn @ https://')


def test_a_compiler_that_is_older_than_the_gpu() -> None:
    torch, build = f"RUN pip install torch==2.9.1 --index-url {PYTORCH}cu128", f"{BUILD}2.8.3.post2"
    for base in ("12.6.3", "12.4.1"):
        lines = (f"FROM nvidia/cuda:{base}-devel-ubuntu22.04", torch, "ENV MAX_JOBS=4", build)
        (one,) = findings(*lines, on=RTX_5090)
        assert (one.rule, one.line) == ("nvcc-too-old-for-gpu", 4)
        assert "the first that does is 12.8" in one.text
        assert one.fix[-1] == "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04"
        assert findings(*lines, on=L4) == ()
    assert findings("FROM nvidia/cuda:12.8.1-devel-ubuntu22.04", *lines[1:], on=RTX_5090) == ()


def test_a_torch_that_is_there_is_not_installed_again() -> None:
    base, bare = "FROM pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime", "RUN pip install torch"
    assert findings(base, bare, on=OLD_GEFORCE) == ()
    newest = rules(base, f"{bare} --upgrade", on=OLD_GEFORCE)
    assert newest == [("torch-not-pinned", 2), ("driver-too-old-for-torch", 2)]


# musl


@pytest.mark.parametrize(
    ("base", "instead"),
    [
        ("python:3.12-alpine", "python:3.12-slim"),
        ("python:3.11.9-alpine3.20", "python:3.11.9-slim"),
        ("python:alpine", "python:slim"),
        ("docker.io/library/python:3.10-alpine@sha256:00", "docker.io/library/python:3.10-slim"),
        ("alpine:3.20", "ubuntu:22.04"),
        ("alpine", "ubuntu:22.04"),
        ("node:22-alpine", "ubuntu:22.04"),
        ("ghcr.io/astral-sh/uv:python3.12-alpine", "ubuntu:22.04"),
    ],
)
def test_no_torch_for_musl_is_said_once(base: str, instead: str) -> None:
    lines = (
        f"FROM {base}",
        "RUN apk add --no-cache build-base gcompat",
        "RUN pip install torch torchvision",
        "RUN pip install flash-attn xformers",
        "RUN pip install torch==2.8.0",
    )
    (one,) = findings(*lines, on=RTX_5090)
    assert (one.rule, one.line) == ("no-torch-for-musl", 3)
    assert one.fix == (f"FROM {instead}",)
    (alone,) = findings(lines[0], lines[3], "RUN pip install vllm")
    assert (alone.rule, alone.line) == ("no-torch-for-musl", 2)


@pytest.mark.parametrize(
    "lines",
    [
        ("FROM python:3.12-slim", "RUN pip install torch==2.8.0"),
        ("FROM python:3.12-alpine", "RUN pip install numpy flask"),
        ("FROM node:22-alpine", "RUN npm ci"),
        ("FROM alpine:3.20", "RUN apk add py3-pytorch", "RUN pip install torch"),
        ("FROM python:3.12-alpine", "RUN pip install torch --extra-index-url https://wheels.example/musl"),
        ("FROM python:3.12-alpine", "RUN pip install https://x/torch-2.8.0-cp312-cp312-musllinux_1_2_x86_64.whl"),
        ("FROM python:3.12-alpine", "RUN pip install git+https://github.com/pytorch/pytorch"),
        ("FROM python:3.12-alpine AS page", "RUN pip install flask", "FROM python:3.12-slim", TORCH_28),
        ("FROM frolvlad/alpine-miniconda3", "RUN pip install torch==2.8.0"),
    ],
)
def test_healthy_beside_musl(lines: tuple[str, ...]) -> None:
    assert findings(*lines) == ()


# jobs

CUDA_128 = "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04"
SOURCE = f"{BUILD}2.8.3.post2"
SMALL = ("ram=32GiB", "cores=8")


def jobs(value: str, on: tuple[str, ...] = (), *more: str) -> tuple[Finding, ...]:
    return findings(CUDA_128, TORCH_28, f"ENV MAX_JOBS={value}", *more, SOURCE, on=on)


def test_jobs_that_the_memory_does_not_hold() -> None:
    (one,) = jobs("4", SMALL)
    assert one.rule == "max-jobs-too-many"
    assert "MAX_JOBS=4 takes up to 91 GiB with 4 compilers each; this machine has 32.0 GiB" in one.text
    assert one.fix == ("ENV MAX_JOBS=5", "ENV NVCC_THREADS=1")
    assert jobs("4", SMALL, "ENV NVCC_THREADS=1") == ()
    assert jobs("4", SMALL, "ENV FLASH_ATTN_CUDA_ARCHS=80") == ()
    assert jobs("4", ("ram=128GiB",)) == ()
    assert jobs("1", SMALL) == ()


@pytest.mark.parametrize("on", [SMALL, ("ram=16GiB", "cores=32"), ("ram=64GiB", "cores=64", *L4), (*SMALL, *RTX_5090)])
@pytest.mark.parametrize("value", ["0", "64", "abc", "$(nproc)", "", "-1"])
def test_the_jobs_that_are_named_instead_are_not_too_many(value: str, on: tuple[str, ...]) -> None:
    (one,) = jobs(value, on)
    assert findings(CUDA_128, TORCH_28, *one.fix, SOURCE, on=on) == ()


@pytest.mark.parametrize(
    ("value", "rule", "said"),
    [
        ("0", "max-jobs-no-limit", "MAX_JOBS=0 is no limit at all"),
        ("abc", "max-jobs-no-number", "MAX_JOBS=abc is no number"),
        ("auto", "max-jobs-no-number", "MAX_JOBS=auto is no number"),
        ("-1", "max-jobs-no-number", "MAX_JOBS=-1 is no number"),
        ("4.5", "max-jobs-no-number", "MAX_JOBS=4.5 is no number"),
        ("$(nproc)", "max-jobs-too-many", "MAX_JOBS=$(nproc) is 8 here and takes up to 169 GiB"),
    ],
)
def test_jobs_that_mean_something_else(value: str, rule: str, said: str) -> None:
    for on in (SMALL, (*SMALL, *L4)):
        (one,) = jobs(value, on)
        assert one.rule == rule
        assert said in one.text


def test_memory_that_holds_no_compiler_at_all() -> None:
    for value in ("1", "0", ""):
        (one,) = jobs(value, ("ram=8GiB",))
        assert one.rule == "too-little-memory"
        assert findings(CUDA_128, TORCH_28, f"RUN {one.fix[0]}", on=("ram=8GiB",)) == ()
    assert jobs("1", ("ram=16GiB",), "ENV NVCC_THREADS=1") == ()


def test_a_job_for_every_core_is_fine_where_the_memory_holds_them() -> None:
    assert jobs("$(nproc)", ("cores=8", "ram=256GiB")) == ()


@pytest.mark.parametrize("value", ["$JOBS", "${JOBS}", "$(( $(nproc) / 4 ))", "$(cat /jobs)", "$(nproc --ignore=4)"])
def test_jobs_that_are_not_known_are_not_judged(value: str) -> None:
    assert findings(CUDA_128, TORCH_28, f"RUN export MAX_JOBS={value} && {SOURCE[4:]}", on=SMALL) == ()


def test_the_fix_stands_where_the_value_stands() -> None:
    inline = findings(CUDA_128, TORCH_28, f"RUN MAX_JOBS=$(nproc --all) {SOURCE[4:]}", on=SMALL)
    assert [one.fix for one in inline] == [("MAX_JOBS=5 NVCC_THREADS=1",)]
    exported = findings(CUDA_128, TORCH_28, f"RUN export MAX_JOBS=$(nproc) && {SOURCE[4:]}", on=SMALL)
    assert [one.fix for one in exported] == [("export MAX_JOBS=5 NVCC_THREADS=1",)]


def test_where_a_file_is_fetched_nothing_is_said_of_jobs() -> None:
    assert findings(CUDA_128, TORCH_28, "ENV MAX_JOBS=64", f"{BUILD}2.8.3", on=SMALL) == ()


def test_what_a_command_prints_is_one_word() -> None:
    text = "A=$(nproc --all) pip install x && B=$(( $(nproc) / 2 )) make && (cd y; z)"
    assert [(one.words, one.env) for one in commands(text, {})] == [
        (("pip", "install", "x"), {"A": "$(nproc --all)"}),
        (("make",), {"B": "$(( $(nproc) / 2 ))"}),
        (("cd", "y"), {}),
        (("z",), {}),
    ]


# all fixes of one judgement speak of the same versions

BASES = (
    *("nvidia/cuda:12.8.1-runtime-ubuntu22.04", "nvidia/cuda:12.6.3-devel-ubuntu22.04", "python:3.12-slim"),
    *("nvidia/cuda:13.0.2-base-ubuntu24.04", "pytorch/pytorch:2.6.0-cuda12.4-cudnn9-runtime", "python:3.11-alpine"),
    *("nvidia/cuda:11.8.0-runtime-ubuntu20.04", "ubuntu:22.04"),
)  # fmt: skip
TORCHES = (
    *("torch", "torch==2.6.0", f"torch==2.9.1 torchvision==0.19.0 --index-url {PYTORCH}cu130"),
    *(f"torch==2.4.1 torchaudio==2.4.1 --index-url {PYTORCH}cu118", f"torch --index-url {PYTORCH}cu128"),
)  # fmt: skip
ATTENTION = ("flash-attn", "flash-attn==2.8.3 --no-build-isolation", "flash-attn==2.7.4.post1 --no-build-isolation")
MACHINES = ((), L4, RTX_5090, OLD_GEFORCE, (*SMALL, *OLD_GEFORCE), ("gpu=NVIDIA B200", "driver=580.65.06"))


@pytest.mark.parametrize("on", MACHINES, ids=["no GPU", "L4", "RTX 5090", "old driver", "small", "B200"])
def test_fixes_agree(on: tuple[str, ...]) -> None:
    for base, torch, attention in product(BASES, TORCHES, ATTENTION):
        lines = [f"FROM {base}", "ENV PATH=/venv/bin:$PATH", f"RUN pip install {torch}", f"RUN pip install {attention}"]
        found = findings(*lines, f"RUN pip install --upgrade {attention}", on=on)
        fixes = [line for one in found for line in one.fix]
        told = "\n".join([*lines, *(f"{one.line}: {one.rule} {one.fix}" for one in found)])
        for what, named in versions(fixes).items():
            assert len(named) < 2, f"{what} {named}\n{told}"
        stages = {line.removesuffix(" AS build") for line in fixes if line.startswith("FROM ")}
        assert len(stages) < 2, told


def versions(fixes: list[str]) -> dict[str, set[str]]:
    """The versions that the fixes name, each thing by every way to say it."""
    text = " ".join(re.sub(r"%2B", "+", line) for line in fixes)
    return {
        "torch": {minor(one) for one in re.findall(r"(?:\btorch==|\+cu\d+torch)(\d+\.\d+)", text)},
        "flash-attn": set(re.findall(r"flash[-_]attn(?:==|-)(\d[\w.]*)", text)),
        "CUDA": set(re.findall(r"(?:whl/cu|\+cu|nvidia/cuda:|-cuda)(\d\d)", text)),
        "Python": {f"3.{one}" for one in re.findall(r"-cp3(\d+)-", text)} | pythons(fixes),
    }


def pythons(fixes: list[str]) -> set[str]:
    """Of the images, where a file for some Python is named beside them."""
    if not any("-cp3" in line for line in fixes):
        return set()
    named = (image(line.split()[1]).python for line in fixes if line.startswith("FROM "))
    return {one for one in named if one}


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
