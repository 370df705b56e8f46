"""AD109 to AD112: which GPUs a process sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probes.gpus import Gpu, Mig
from attn_doctor.machine.probes.system import System
from rules.rooted import Rooted, finding, found, imagined, plant, read

A100 = "NVIDIA A100-SXM4-80GB"


def seen(value: str | None, count: int = 2, *mig: Mig | None, **more: Any) -> Facts:
    gpus = tuple(
        Gpu(index, A100, "nvidia", "8.0", 80 << 30, mig=(*mig, *[None] * count)[index]) for index in range(count)
    )
    environment = {} if value is None else {"CUDA_VISIBLE_DEVICES": value}
    return imagined(f"gpu={A100}", "torch=2.8.0", gpus=gpus, environment=environment, **more)


@pytest.mark.parametrize(
    ("value", "said", "fix"),
    [
        ("0,2", "there is no GPU 2: there are 2. CUDA stops reading there and uses 0 alone", "0"),
        ("0,1,2,3", "there is no GPU 2: there are 2. CUDA stops reading there and uses 0, 1 alone", "0,1"),
        ("1,7,0", "there is no GPU 7: there are 2. CUDA stops reading there and uses 1 alone", "1"),
        ("0,GPU-8932f937", "an identifier stands among numbers. CUDA stops reading there and uses 0 alone", "0"),
        ("0,0", "names 0 twice: CUDA then shows no GPU at all", "0"),
        ("1,0,1", "names 1 twice: CUDA then shows no GPU at all", "1,0"),
    ],
)
def test_lists_that_ask_for_what_is_not_there(value: str, said: str, fix: str) -> None:
    answer = found("AD109", seen(value))
    assert answer.severity == "warning"
    assert said in answer.detail
    assert answer.fix == (f"export CUDA_VISIBLE_DEVICES={fix}",)


def test_an_identifier_is_not_repeated_in_the_report() -> None:
    value = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
    answer = found("AD109", seen(f"{value},{value}"))
    assert "8932f937" not in answer.detail + "".join(answer.fix)


@pytest.mark.parametrize(
    "value",
    [None, "0", "1", "0,1", "1,0", " 0 , 1 ", "0,1,-1", "0,-1,1", "0,", "GPU-8932f937", "GPU-aa,GPU-bb", "MIG-aa"],
)
def test_lists_that_are_right(value: str | None) -> None:
    assert finding("AD109", seen(value)) is None


@pytest.mark.parametrize("value", ["", "-1", "2", "none"])
def test_all_hidden_is_another_finding(value: str) -> None:
    assert finding("AD109", seen(value)) is None
    assert found("AD107", seen(value))


SEVEN = Mig(("MIG 1g.10gb",) * 7, (10 << 30,) * 7)


@pytest.mark.parametrize(
    ("of", "severity"),
    [(seen(None, 1, Mig()), "error"), (seen(None, 2, Mig()), "warning"), (seen("0", 2, Mig()), "warning")],
)
def test_mig_without_instances(of: Facts, severity: str) -> None:
    answer = found("AD110", of)
    assert answer.severity == severity
    assert answer.detail == f"GPU 0 ({A100}) is in MIG mode and no instance is created: CUDA shows nothing of it."
    assert answer.fix == ("sudo nvidia-smi mig -i 0 -cgi 0 -C", "sudo nvidia-smi -i 0 -mig 0")


def test_mig_without_instances_in_a_container() -> None:
    answer = found("AD110", seen(None, 1, Mig(), system=System("linux", "x86_64", container="docker")))
    assert "passed into this container" in answer.detail
    assert answer.fix[0].startswith("docker run")


@pytest.mark.parametrize("value", ["0,1", "0,1,2,3,4,5,6"])
def test_numbers_are_no_instances(value: str) -> None:
    answer = found("AD110", seen(value, 1, SEVEN))
    assert "counts GPUs, not MIG instances (there are 7)" in answer.detail
    assert answer.severity == "warning"
    assert finding("AD109", seen(value, 1, SEVEN)) is None


def test_several_instances_for_one_process() -> None:
    assert (
        "names 2 MIG instances: one process sees only the first" in found("AD110", seen("MIG-a,MIG-b", 1, SEVEN)).detail
    )


@pytest.mark.parametrize(
    "of",
    [
        seen(None, 1, SEVEN),
        seen("0", 1, SEVEN),
        seen("MIG-1f0f7a53", 1, SEVEN),
        seen("0,1", 2),
        seen("1,2", 3, SEVEN),
        seen("1", 2, Mig()),  # the one without instances is not asked for
    ],
    ids=["unset", "the first", "one named", "no MIG", "the others", "hidden"],
)
def test_mig_as_it_should_be(of: Facts) -> None:
    assert finding("AD110", of) is None


def boxed(asked: str | None, container: str | None = "docker", torch: str = "torch=2.8.0", **more: Any) -> Facts:
    environment = {"NVIDIA_VISIBLE_DEVICES": asked} if asked is not None else {}
    return imagined(torch, system=System("linux", "x86_64", container=container), environment=environment, **more)


@pytest.mark.parametrize(
    ("container", "fix"),
    [
        ("docker", "docker run --gpus all ...  # needs the NVIDIA Container Toolkit"),
        ("podman", "podman run --device nvidia.com/gpu=all ..."),
    ],
)
def test_a_container_that_asks_and_gets_nothing(container: str, fix: str) -> None:
    answer = found("AD111", boxed("all", container))
    assert (answer.severity, answer.confidence) == ("info", "likely")
    assert "NVIDIA_VISIBLE_DEVICES=all" in answer.detail
    assert answer.fix == (fix,)
    assert "8932" not in found("AD111", boxed("GPU-8932f937")).detail


@pytest.mark.parametrize(
    "of",
    [
        boxed(None),
        boxed("void"),
        boxed("none"),
        boxed("all", None),
        boxed("all", torch="torch=2.8.0+cpu"),
        imagined(f"gpu={A100}", "torch=2.8.0", "container=true", environment={"NVIDIA_VISIBLE_DEVICES": "all"}),
        imagined(f"gpu={A100}", "driver=none", "torch=2.8.0", "container=true"),
    ],
    ids=["not asked", "void", "none", "no container", "cpu torch", "with a GPU", "AD102's"],
)
def test_containers_that_are_as_they_should_be(of: Facts) -> None:
    assert finding("AD111", of) is None


WSL = ("linux", "x86_64", "5.15.167.4-microsoft-standard-WSL2")
LINUX = ("linux", "x86_64", "6.8.0-48-generic")
INSIDE = "/usr/lib/x86_64-linux-gnu"
OWN = {"/usr/lib/wsl/lib/libcuda.so.1": "", "/etc/os-release": 'PRETTY_NAME="Ubuntu 24.04 LTS"\n'}


def wsl(tmp_path: Path, files: dict[str, str], links: dict[str, str] | None = None, **said: Any) -> Facts:
    host = Rooted(plant(tmp_path, OWN | files, links), **({"system": WSL} | said))
    return imagined("torch=2.8.0", system=read("system", host))


def test_a_linux_driver_inside_wsl(tmp_path: Path) -> None:
    real = f"{INSIDE}/libcuda.so.550.144.03"
    answer = found("AD112", wsl(tmp_path, {real: ""}, {f"{INSIDE}/libcuda.so.1": real}))
    assert (answer.severity, answer.confidence) == ("warning", "likely")
    assert f"{real} belongs to a Linux driver" in answer.detail
    assert answer.fix == (f"sudo apt remove $(dpkg-query --search {real} | cut -d: -f1)", "sudo ldconfig")


def test_wsl_as_it_should_be(tmp_path: Path) -> None:
    to_windows = {
        f"{INSIDE}/libcuda.so.1": "/usr/lib/wsl/lib/libcuda.so.1",
        f"{INSIDE}/libcuda.so": f"{INSIDE}/libcuda.so.1",
    }
    assert finding("AD112", wsl(tmp_path / "plain", {})) is None
    assert finding("AD112", wsl(tmp_path / "linked for Triton", {}, to_windows)) is None
    stub = {f"{INSIDE}/libcuda.so.1.1": ""}
    assert (
        finding("AD112", wsl(tmp_path / "its own", stub, {f"{INSIDE}/libcuda.so.1": f"{INSIDE}/libcuda.so.1.1"}))
        is None
    )


def test_a_linux_driver_where_it_belongs(tmp_path: Path) -> None:
    real = f"{INSIDE}/libcuda.so.550.144.03"
    links = {f"{INSIDE}/libcuda.so.1": real}
    assert finding("AD112", wsl(tmp_path / "linux", {real: ""}, links, system=LINUX)) is None
    assert finding("AD112", wsl(tmp_path / "container", {real: "", "/.dockerenv": ""}, links)) is None
