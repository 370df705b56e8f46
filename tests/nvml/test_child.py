"""The NVML child as the real process it is, against a real library without a GPU behind it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Machine = Callable[[str], dict[str, str]]

CHILD = Path(__file__).parents[2] / "attn_doctor" / "machine" / "children" / "nvml.py"
MARKER = "ATTN_DOCTOR_NVML "

HEALTHY = "driver 550.144.03\nnvml 12.550.144.03\ncuda 12040\n"
A100 = 'device name="NVIDIA A100-SXM4-80GB" cc=8.0 memory=85899345920 pci=0x20B210DE mig=0'
T4 = 'device name="Tesla T4" cc=7.5 memory=16106127360 pci=0x1EB810DE'


def command() -> list[str]:
    pynvml = find_spec("pynvml")
    assert pynvml is not None
    assert pynvml.origin is not None
    return [sys.executable, "-I", "-S", str(CHILD), str(Path(pynvml.origin).parent)]


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(), env=environment, capture_output=True, text=True, encoding="ascii", timeout=60, check=False
    )


def ask(environment: dict[str, str]) -> Any:
    done = run(environment)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith(MARKER)
    return json.loads(line.removeprefix(MARKER))


def test_one_gpu(nvml_machine: Machine) -> None:
    assert ask(nvml_machine(HEALTHY + A100)) == {
        "library": True,
        "error": None,
        "driver": "550.144.03",
        "nvml": "12.550.144.03",
        "cuda": "12.4",
        "devices": [
            {
                "index": 0,
                "name": "NVIDIA A100-SXM4-80GB",
                "compute_capability": "8.0",
                "memory_bytes": 85899345920,
                "pci_device_id": "20B2",
                "mig": {"enabled": False, "devices": []},
                "errors": [],
            }
        ],
        "lost": [],
        "errors": [],
    }


def test_eight_gpus_keep_their_order(nvml_machine: Machine) -> None:
    devices = ask(nvml_machine(HEALTHY + f"{A100}\n" * 8))["devices"]
    assert [device["index"] for device in devices] == list(range(8))


def test_two_generations(nvml_machine: Machine) -> None:
    devices = ask(nvml_machine(HEALTHY + f"{T4}\n{A100}\n"))["devices"]
    assert [(device["compute_capability"], device["pci_device_id"]) for device in devices] == [
        ("7.5", "1EB8"),
        ("8.0", "20B2"),
    ]


def test_a_gpu_without_mig_says_so(nvml_machine: Machine) -> None:
    (device,) = ask(nvml_machine(HEALTHY + T4))["devices"]
    assert device["mig"] is None
    assert device["errors"] == ["nvmlDeviceGetMigMode: Not Supported"]


def test_mig_instances_are_found_past_an_empty_slot(nvml_machine: Machine) -> None:
    instance = 'migdevice parent=1 slot={} name="NVIDIA A100-SXM4-80GB MIG 1g.10gb" memory=10200547328\n'
    parent = A100.replace("mig=0", "mig=1")
    machine = nvml_machine(HEALTHY + f"{A100}\n{parent}\n" + instance.format(0) + instance.format(2))
    whole, split = ask(machine)["devices"]
    found = {"name": "NVIDIA A100-SXM4-80GB MIG 1g.10gb", "memory_bytes": 10200547328}
    assert whole["mig"] == {"enabled": False, "devices": []}
    assert split["mig"] == {"enabled": True, "devices": [found, found]}
    assert split["errors"] == []


def test_mig_slots_we_may_not_open_are_reasons(nvml_machine: Machine) -> None:
    parent = A100.replace("mig=0", "mig=1 fail=mighandle:4")
    (device,) = ask(nvml_machine(HEALTHY + parent))["devices"]
    assert device["mig"] == {"enabled": True, "devices": []}
    assert set(device["errors"]) == {"nvmlDeviceGetMigDeviceHandleByIndex: Insufficient Permissions"}


def test_no_gpu(nvml_machine: Machine) -> None:
    answer = ask(nvml_machine(HEALTHY))
    assert (answer["error"], answer["driver"], answer["devices"]) == (None, "550.144.03", [])


def test_a_mismatch_still_tells_the_version_of_the_library(nvml_machine: Machine) -> None:
    answer = ask(nvml_machine(HEALTHY + f"init 18\n{A100}"))
    assert answer["error"] == {
        "code": 18,
        "name": "NVML_ERROR_LIB_RM_VERSION_MISMATCH",
        "text": "Driver/library version mismatch",
    }
    assert (answer["library"], answer["driver"], answer["nvml"]) == (True, None, "12.550.144.03")
    assert answer["errors"] == ["nvmlSystemGetDriverVersion: Uninitialized"]
    assert answer["devices"] == []


def test_no_kernel_module(nvml_machine: Machine) -> None:
    answer = ask(nvml_machine("nvml 12.550.144.03\ncuda 0\ninit 9"))
    assert answer["error"] == {"code": 9, "name": "NVML_ERROR_DRIVER_NOT_LOADED", "text": "Driver Not Loaded"}
    assert (answer["library"], answer["cuda"]) == (True, None)


def test_an_error_that_is_newer_than_the_bindings(nvml_machine: Machine) -> None:
    answer = ask(nvml_machine("init 777"))
    assert answer["error"] == {"code": 777, "name": "NVML_ERROR_777", "text": "Unknown Error"}


def test_a_count_that_fails_is_not_a_machine_without_gpus(nvml_machine: Machine) -> None:
    answer = ask(nvml_machine(HEALTHY + "count 999"))
    assert answer["error"]["name"] == "NVML_ERROR_UNKNOWN"
    assert answer["driver"] == "550.144.03"


def test_no_library(no_nvml_machine: dict[str, str]) -> None:
    answer = ask(no_nvml_machine)
    assert answer["library"] is False
    assert answer["error"]["name"] == "NVML_ERROR_LIBRARY_NOT_FOUND"
    assert "No such file" in answer["error"]["text"]


@pytest.mark.parametrize("content", [b"", b"<html>no library</html>" * 100], ids=["empty", "html"])
def test_a_library_that_cannot_be_loaded_says_why(
    content: bytes, broken_nvml_machine: Callable[[bytes], dict[str, str]]
) -> None:
    answer = ask(broken_nvml_machine(content))
    assert answer["library"] is False
    assert any(reason in answer["error"]["text"] for reason in ("file too short", "invalid ELF header"))


def test_an_old_library_lacks_some_calls(old_nvml_machine: Machine) -> None:
    (device,) = ask(old_nvml_machine(HEALTHY + A100))["devices"]
    assert (device["name"], device["compute_capability"]) == ("NVIDIA A100-SXM4-80GB", "8.0")
    assert (device["pci_device_id"], device["mig"]) == (None, None)
    assert device["errors"] == [
        "nvmlDeviceGetPciInfo: Function Not Found",
        "nvmlDeviceGetMigMode: Function Not Found",
    ]


def test_unified_memory_has_no_size_of_its_own(nvml_machine: Machine) -> None:
    gb10 = 'device name="NVIDIA GB10" cc=12.1 pci=0x2E1210DE mig=0 fail=memory'
    (device,) = ask(nvml_machine(HEALTHY + gb10))["devices"]
    assert (device["name"], device["memory_bytes"]) == ("NVIDIA GB10", None)
    assert device["errors"] == ["nvmlDeviceGetMemoryInfo: Not Supported"]


def test_each_failing_call_costs_its_own_field_only(nvml_machine: Machine) -> None:
    (device,) = ask(nvml_machine(HEALTHY + A100 + " fail=name:999,cc:999,pci:999,mig:999"))["devices"]
    assert device["memory_bytes"] == 85899345920
    assert [error.partition(":")[0] for error in device["errors"]] == [
        "nvmlDeviceGetCudaComputeCapability",
        "nvmlDeviceGetName",
        "nvmlDeviceGetPciInfo",
        "nvmlDeviceGetMigMode",
    ]


def test_a_lost_gpu_hides_no_other(nvml_machine: Machine) -> None:
    answer = ask(nvml_machine(HEALTHY + f"{A100}\n{A100} lost=15\n{T4}\n"))
    assert [device["index"] for device in answer["devices"]] == [0, 2]
    assert answer["lost"] == [{"index": 1, "error": "GPU is lost"}]


@pytest.mark.parametrize(
    ("in_config", "name"), [("NVIDIA Ge\udce9Force", "NVIDIA Ge\ufffdForce"), ("NVIDIA é", "NVIDIA é")]
)
def test_names_of_any_bytes(nvml_machine: Machine, in_config: str, name: str) -> None:
    (device,) = ask(nvml_machine(HEALTHY + f'device name="{in_config}" cc=8.9 memory=1 mig=0'))["devices"]
    assert device["name"] == name


@pytest.mark.parametrize("where", ["init crash", f"{A100} crash=memory"], ids=["init", "memory"])
def test_a_crash_is_a_signal_and_no_answer(nvml_machine: Machine, where: str) -> None:
    done = run(nvml_machine(HEALTHY + where))
    assert done.returncode == -signal.SIGSEGV
    assert done.stdout == ""


@pytest.mark.parametrize("where", ["init hang", f"{A100} hang=memory"], ids=["init", "memory"])
def test_a_hang_ends_with_the_patience_of_the_caller(nvml_machine: Machine, where: str) -> None:
    with subprocess.Popen(command(), env=nvml_machine(HEALTHY + where), stdout=subprocess.PIPE) as child:
        with pytest.raises(subprocess.TimeoutExpired):
            child.communicate(timeout=1)
        child.kill()
        assert child.communicate(timeout=10)[0] == b""
    assert child.returncode == -signal.SIGKILL
