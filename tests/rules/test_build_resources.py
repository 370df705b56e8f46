"""AD209 to AD211: memory, the temporary folder, ninja."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probes.disk import Disk, Place
from attn_doctor.machine.probes.memory import GIB, Memory
from rules.rooted import Rooted, finding, found, imagined, read

BUILDER = ("gpu=NVIDIA GeForce RTX 3090", "torch=2.8.0", "nvcc=12.8")


def small(gib: float, limit: float | None = None, *keys: str, **env: str) -> Facts:
    memory = Memory(int(gib * GIB), int(gib * GIB), int(limit * GIB) if limit else None)
    return imagined(*(keys or BUILDER), memory=memory, environment=env)


def test_less_memory_than_one_compiler_takes() -> None:
    answer = found("AD209", small(7.5))
    assert answer.severity == "info"
    assert "takes 6.6 GiB, and this machine has 7.5 GiB in all" in answer.detail


def test_the_limit_of_a_container_counts() -> None:
    assert "this container has 6.0 GiB" in found("AD209", small(64, 6)).detail
    assert finding("AD209", small(64, 32)) is None


@pytest.mark.parametrize(
    ("gib", "env", "fix"),
    [
        (64, {"MAX_JOBS": "8"}, "export FLASH_ATTN_CUDA_ARCHS=80 NVCC_THREADS=1 MAX_JOBS=8"),
        (24, {"MAX_JOBS": "1"}, "export FLASH_ATTN_CUDA_ARCHS=80 NVCC_THREADS=1 MAX_JOBS=1"),
        (
            32,
            {"MAX_JOBS": "16", "FLASH_ATTN_CUDA_ARCHS": "80"},
            "export FLASH_ATTN_CUDA_ARCHS=80 NVCC_THREADS=1 MAX_JOBS=5",
        ),
    ],
)
def test_max_jobs_that_the_memory_does_not_carry(gib: float, env: dict[str, str], fix: str) -> None:
    answer = found("AD209", small(gib, None, **env))
    assert f"MAX_JOBS={env['MAX_JOBS']}" in answer.detail
    assert answer.fix == (fix,)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"MAX_JOBS": "4"},
        {"MAX_JOBS": ""},
        {"MAX_JOBS": "many"},
        {"MAX_JOBS": "16", "FLASH_ATTN_CUDA_ARCHS": "80"},
        {"MAX_JOBS": "16", "NVCC_THREADS": "1"},
    ],
)
def test_memory_that_will_do(env: dict[str, str]) -> None:
    assert finding("AD209", small(128, None, **env)) is None


@pytest.mark.parametrize(
    "keys",
    [
        ("gpu=NVIDIA GeForce RTX 3090", "torch=2.8.0"),
        ("gpu=Tesla T4", "torch=2.8.0", "nvcc=12.8"),
        (*BUILDER, "pkg.flash-attn=2.8.3"),
        ("torch=2.8.0", "nvcc=12.8"),
    ],
    ids=["no nvcc", "a GPU it does not serve", "installed", "no GPU"],
)
def test_where_nobody_would_compile(keys: tuple[str, ...]) -> None:
    assert finding("AD209", small(2, None, *keys, MAX_JOBS="64")) is None


def temporary(tmp_path: Path, disk: tuple[int, int, str], *keys: str, **env: str) -> Facts:
    host = Rooted(tmp_path, env, disk=disk)
    readings: dict[str, Any] = {name: read(name, host) for name in ("disk", "environment")}
    return imagined(*keys, **readings)


PLENTY = 50 * GIB


def test_noexec_stops_torch_compile(tmp_path: Path) -> None:
    answer = found("AD210", temporary(tmp_path, (PLENTY, PLENTY, "noexec"), "torch=2.8.0"))
    assert answer.severity == "warning"
    assert "/tmp is mounted noexec: torch.compile" in answer.detail
    assert answer.fix == ("export TORCHINDUCTOR_CACHE_DIR=$HOME/.cache/torchinductor",)


def test_noexec_matters_to_nobody_else(tmp_path: Path) -> None:
    disk = (PLENTY, PLENTY, "noexec")
    assert finding("AD210", temporary(tmp_path, disk)) is None
    elsewhere = temporary(tmp_path, disk, "torch=2.8.0", TORCHINDUCTOR_CACHE_DIR="/home/me/cache")
    assert finding("AD210", elsewhere) is None


def test_only_the_temporary_folder_is_meant() -> None:
    places = (Place("target", "/venv", PLENTY, noexec=True), Place("temporary", "/tmp", PLENTY))
    assert finding("AD210", imagined("torch=2.8.0", disk=Disk(places))) is None


@pytest.mark.parametrize(("keys", "severity"), [((), "warning"), (("torch=2.8.0",), "info")])
def test_a_full_one(tmp_path: Path, keys: tuple[str, ...], severity: str) -> None:
    answer = found("AD210", temporary(tmp_path, (GIB // 2, PLENTY, ""), *keys))
    assert answer.severity == severity
    assert "less than 1 GiB free (about 512 MiB)" in answer.detail
    assert answer.fix == ("export TMPDIR=$HOME/tmp && mkdir -p $TMPDIR",)


def test_a_read_only_one(tmp_path: Path) -> None:
    assert "read-only" in found("AD210", temporary(tmp_path, (PLENTY, PLENTY, "ro"))).detail


def test_one_with_room(tmp_path: Path) -> None:
    assert finding("AD210", temporary(tmp_path, (GIB, PLENTY, ""), "torch=2.8.0")) is None
    assert finding("AD210", imagined()) is None


def test_without_ninja() -> None:
    answer = found("AD211", imagined(*BUILDER, "ninja=false"))
    assert answer.severity == "info"
    assert answer.fix[0].endswith("pip install ninja") or answer.fix == ("pip install ninja",)


@pytest.mark.parametrize(
    "keys",
    [
        BUILDER,
        ("gpu=NVIDIA GeForce RTX 3090", "torch=2.8.0", "ninja=false"),
        (*BUILDER, "ninja=false", "pkg.flash-attn=2.8.3"),
        ("torch=2.8.0+cpu", "nvcc=12.8", "ninja=false"),
    ],
    ids=["there", "no nvcc", "installed", "cpu torch"],
)
def test_ninja_that_nobody_misses(keys: tuple[str, ...]) -> None:
    assert finding("AD211", imagined(*keys)) is None
