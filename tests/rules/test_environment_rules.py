"""AD114 to AD116: LD_LIBRARY_PATH, musl, Rosetta."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probes.library_path import Library, parse_version
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.system import System
from rules.rooted import Rooted, finding, found, imagined, plant, read
from support import SITE, Described, said

CUDNN_OLD = "/opt/cudnn/lib"
WHEELS = {f"{SITE}/nvidia_cudnn_cu12-9.10.2.21.dist-info/METADATA": "", f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9": ""}
GPU = "gpu=NVIDIA GeForce RTX 3090"


def library(
    tmp_path: Path, folder: str, *files: str, path: str | None = None, torch: str = "2.8.0", **wheels: str
) -> Facts:
    """A machine with these libraries in a folder, each linked by its major as ldconfig does it."""
    links = {
        f"{folder}/{file.partition('.so.')[0]}.so.{file.partition('.so.')[2].partition('.')[0]}": f"{folder}/{file}"
        for file in files
    }
    own = {f"{SITE}/{name}-{version}.dist-info/METADATA": "" for name, version in wheels.items()} or WHEELS
    tree = plant(tmp_path, {f"{folder}/{file}": "" for file in files} | own, links)
    host = Rooted(tree, {"LD_LIBRARY_PATH": folder if path is None else path})
    readings: dict[str, Any] = {name: read(name, host) for name in ("library_path", "environment")}
    return imagined(GPU, f"torch={torch}", **readings)


def test_an_older_cudnn_comes_first(tmp_path: Path) -> None:
    answer = found("AD114", library(tmp_path, CUDNN_OLD, "libcudnn.so.9.1.0", path=f"/opt/other:{CUDNN_OLD}:/opt/x"))
    assert (answer.severity, answer.confidence) == ("warning", "likely")
    assert answer.detail == f"LD_LIBRARY_PATH puts cuDNN 9.1.0 in {CUDNN_OLD} before 9.10.2.21, torch's own."
    assert answer.fix == ("export LD_LIBRARY_PATH=/opt/other:/opt/x",)
    assert found("AD114", library(tmp_path / "alone", CUDNN_OLD, "libcudnn.so.9.1.0")).fix == ("unset LD_LIBRARY_PATH",)


def test_an_older_nvjitlink_until_torch_loads_its_own_first(tmp_path: Path) -> None:
    wheels = {"nvidia_nvjitlink_cu12": "12.4.127"}
    files = "/usr/local/cuda-12.1/lib64", "libnvJitLink.so.12.1.105"
    answer = found("AD114", library(tmp_path / "old", *files, torch="2.5.1", **wheels))
    assert "nvJitLink 12.1.105" in answer.detail
    assert finding("AD114", library(tmp_path / "new", *files, torch="2.8.0", **wheels)) is None


@pytest.mark.parametrize(
    ("files", "wheels"),
    [
        (("libcudnn.so.8.9.7",), {}),  # another major has another name
        (("libcudnn.so.9.14.0",), {}),  # newer
        (("libcudnn.so.9.10.1",), {}),  # the same minor
        (("libcudnn.so.9.1.0",), {"nvidia_cudnn_cu12": "9.24.0.43"}),  # this one has an RPATH
        (("libcudnn.so.9",), {}),  # does not say its version
        (("libcudnn.so.9.1.0",), {"nvidia_cublas_cu12": "12.8.4.1"}),  # torch brings none by a wheel
        (("libcudart.so.11.8.89", "libcublas.so.11.11.3"), {}),
    ],
)
def test_libraries_that_harm_nobody(tmp_path: Path, files: tuple[str, ...], wheels: dict[str, str]) -> None:
    plain = [file for file in files if file.count(".") > 2]
    tree = plant(tmp_path, {f"{CUDNN_OLD}/{file}": "" for file in files})
    assert finding("AD114", library(tree, CUDNN_OLD, *plain, **wheels)) is None


def test_torchs_own_folders_are_no_others(tmp_path: Path) -> None:
    own = f"{SITE}/nvidia/cudnn/lib"
    assert read("library_path", Rooted(plant(tmp_path, WHEELS), {"LD_LIBRARY_PATH": own})).value == ()
    assert finding("AD114", imagined(GPU, "torch=2.8.0")) is None


def test_what_the_probe_reads(tmp_path: Path) -> None:
    links = {"/a/libcudnn.so.9": "/a/libcudnn.so.9.1.0", "/b/libcudnn.so.9": "/b/libcudnn.so.9.2.0"}
    tree = plant(tmp_path, WHEELS | {"/a/libcudnn.so.9.1.0": "", "/b/libcudnn.so.9.2.0": ""}, links)
    host = Rooted(tree, {"LD_LIBRARY_PATH": ":/gone:relative:/a:/b:"})
    assert read("library_path", host).value == (Library("libcudnn.so.9", "/a", "9.1.0", "9.10.2.21"),)
    assert read("library_path", Rooted(tree)).looked_in == ("LD_LIBRARY_PATH",)
    assert read("library_path", Described(env={"LD_LIBRARY_PATH": "/a"}, system=("macos", "aarch64", "24"))).looked_in


@pytest.mark.parametrize(
    ("path", "version"),
    [("/a/libcudnn.so.9.1.0", "9.1.0"), ("/a/libcudnn.so.9", None), ("/a/libx.so", None), ("/a/libx.so.1.2.bak", None)],
)
def test_parse_version(path: str, version: str | None) -> None:
    assert parse_version(path) == version


def test_musl_without_torch() -> None:
    answer = found("AD115", imagined("libc=musl-1.2.4"))
    assert answer.severity == "warning"
    assert "musl 1.2.4, and no torch is published for it" in answer.detail
    assert answer.fix == ()
    assert found("AD115", imagined("libc=musl-1.2.4", "container=true")).fix == ("docker run -it python:3.12-slim",)


@pytest.mark.parametrize("keys", [("libc=glibc-2.28",), ("libc=musl-1.2.4", "torch=2.8.0"), ("os=macos",)])
def test_no_musl_or_a_torch_all_the_same(keys: tuple[str, ...]) -> None:
    assert finding("AD115", imagined(*keys)) is None


COMMAND = "/usr/sbin/sysctl -in sysctl.proc_translated"


def mac(arch: str, answer: str) -> Facts:
    host = Described(system=("macos", arch, "24.1.0"), commands={COMMAND: said(answer)})
    python = Python("3.12.3", kind="venv", own=True)
    return imagined("os=macos", f"arch={arch}", system=read("system", host), python=python)


def test_an_x86_64_python_on_apple_silicon() -> None:
    answer = found("AD116", mac("x86_64", "1\n"))
    assert answer.severity == "warning"
    assert "translated by Rosetta: the last torch for those is 2.2.2" in answer.detail
    assert answer.fix == ("uv venv --python cpython-3.12-macos-aarch64",)


@pytest.mark.parametrize(("arch", "answer"), [("x86_64", "0\n"), ("x86_64", ""), ("aarch64", "1\n")])
def test_other_macs(arch: str, answer: str) -> None:
    assert finding("AD116", mac(arch, answer)) is None
    assert finding("AD116", imagined("os=macos", "arch=x86_64", system=System("macos", "x86_64"))) is None
