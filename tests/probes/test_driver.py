from __future__ import annotations

import json

import pytest

from attn_doctor.machine.facts import Absent, Unknown
from attn_doctor.machine.host import Failed
from attn_doctor.machine.probes.driver import PROBE, PROC_VERSION, Driver, parse_proc_version
from support import REFUSED, Described, ask, said, value

PROPRIETARY = """NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024
GCC version:  gcc version 11.4.0 (Ubuntu 11.4.0-1ubuntu1~22.04)
"""
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  565.57.01  Release Build  (dvs-builder@U16-A24-9-2)  "
    "Thu Oct 10 12:15:00 UTC 2024\nGCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)\n"
)
ARCH = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  525.60.11  Release Build  (archlinux-builder@localhost)"
    "  \nGCC version:  gcc version 12.2.0 (GCC) \n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(PROPRIETARY, ("535.183.01", False), id="proprietary"),
        pytest.param(OPEN, ("565.57.01", True), id="open"),
        pytest.param(ARCH, ("525.60.11", True), id="open, built by Arch"),
        pytest.param(OPEN.replace("x86_64", "aarch64"), ("565.57.01", True), id="aarch64"),
        pytest.param(PROPRIETARY.replace("535.183.01", "555.58"), ("555.58", False), id="two numbers"),
        pytest.param(
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  390.157  Wed Oct 12 09:19:07 UTC 2022\n",
            ("390.157", False),
            id="legacy",
        ),
        pytest.param("GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)\n", None, id="no NVRM line"),
        pytest.param("NVRM version: NVIDIA UNIX x86_64 Kernel Module\n", None, id="no version"),
        pytest.param("", None, id="empty"),
    ],
)
def test_parse_proc_version(text: str, expected: tuple[str, bool] | None) -> None:
    assert parse_proc_version(text) == expected


MISMATCH = {"code": 18, "name": "NVML_ERROR_LIB_RM_VERSION_MISMATCH", "text": "Driver/library version mismatch"}
NOT_LOADED = {"code": 9, "name": "NVML_ERROR_DRIVER_NOT_LOADED", "text": "Driver Not Loaded"}
NO_LIBRARY = {"code": 12, "name": "NVML_ERROR_LIBRARY_NOT_FOUND", "text": "NVML Shared Library Not Found"}
LIBRARY = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
SMI = "/usr/bin/nvidia-smi"
QUERY = f"{SMI} --query-gpu=name,compute_cap,memory.total,driver_version --format=csv,noheader,nounits"
FAILED_SMI = said(
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
    "Make sure that the latest NVIDIA driver is installed and running.\n\n",
    9,
)


def nvml(**answer: object) -> object:
    whole = {"library": True, "error": None, "driver": None, "nvml": None, "cuda": None, "devices": [], "lost": []}
    return said("ATTN_DOCTOR_NVML " + json.dumps(whole | answer) + "\n")


def machine(proc: str | Exception | None = None, child: object = None, smi: object = None) -> Described:
    files: dict[str, str | Exception] = {LIBRARY: ""}
    if proc is not None:
        files[PROC_VERSION] = proc
    return Described(
        files,
        executables={SMI} if smi else set(),
        env={"PATH": "/usr/bin"},
        commands={"nvml": child or nvml(), QUERY: smi},
    )


def test_nothing_of_nvidia_costs_no_child() -> None:
    plain = Described(env={"PATH": "/usr/bin"})
    assert isinstance(ask(PROBE, plain), Absent)
    assert plain.started == []


@pytest.mark.parametrize(
    "trace",
    [
        {LIBRARY: ""},
        {"/usr/lib/wsl/lib/libnvidia-ml.so.1": ""},
        {"/etc/ld.so.cache": "glibc-ld.so.cache1.1\0libnvidia-ml.so.1\0/opt/odd/libnvidia-ml.so.1\0"},
        {PROC_VERSION: OPEN},
    ],
    ids=["library", "wsl", "loader cache", "kernel module"],
)
def test_any_trace_of_a_driver_is_asked(trace: dict[str, str | Exception]) -> None:
    host = Described(trace, commands={"nvml": nvml(driver="580.95.05", cuda="13.0")})
    assert value(ask(PROBE, host)).version == "580.95.05"


def test_nvml_answers() -> None:
    reading = ask(PROBE, machine(OPEN, nvml(driver="565.57.01", cuda="12.7")))
    assert value(reading) == Driver("565.57.01", "12.7", open_kernel_module=True)
    assert reading.source == "NVML"


def test_the_version_is_kept_as_printed() -> None:
    assert value(ask(PROBE, machine(None, nvml(driver="550.144.03")))).version == "550.144.03"


def test_nvidia_smi_answers_where_nvml_does_not() -> None:
    smi = said("NVIDIA GeForce RTX 4090, 8.9, 24564, 550.144.03\n")
    reading = ask(PROBE, machine(PROPRIETARY, said("", -11), smi))
    assert value(reading) == Driver("550.144.03", None, open_kernel_module=False)
    assert reading.source == "nvidia-smi"


def test_nvidia_smi_is_not_made_to_hang_after_nvml() -> None:
    host = machine(
        PROPRIETARY, Failed("no answer within 10 s", timed_out=True), said("NVIDIA L4, 8.9, 23034, 535.183.01\n")
    )
    reading = ask(PROBE, host)
    assert isinstance(reading, Unknown)
    assert "no answer within 10 s" in reading.reason
    assert "535.183.01" in reading.reason
    assert QUERY not in host.started


def test_a_loaded_driver_that_does_not_answer_says_why() -> None:
    reading = ask(PROBE, machine(OPEN, nvml(error=MISMATCH), FAILED_SMI))
    assert value(reading) == Driver("565.57.01", open_kernel_module=True, fault="Driver/library version mismatch")
    assert reading.source == PROC_VERSION


def test_an_upgraded_library_over_an_old_module_with_the_module_unreadable_is_unknown() -> None:
    """Something is loaded: it must not pass for a machine without a driver."""
    reading = ask(PROBE, machine(REFUSED, nvml(error=MISMATCH)))
    assert isinstance(reading, Unknown)
    assert "Driver/library version mismatch" in reading.reason


@pytest.mark.parametrize("error", [NOT_LOADED, NO_LIBRARY])
def test_no_driver_loaded_is_absent(error: dict[str, object]) -> None:
    assert isinstance(ask(PROBE, machine(None, nvml(error=error), FAILED_SMI)), Absent)


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        (Failed("no answer within 10 s", timed_out=True), "NVML: no answer within 10 s"),
        (said("", -11), "NVML crashed (signal 11)"),
        (said("", 1, "Traceback (most recent call last):\n"), "NVML: not understood: 'Traceback"),
        (said("ATTN_DOCTOR_NVML {\n"), "NVML: not understood"),
    ],
)
def test_no_answer_is_unknown(child: object, reason: str) -> None:
    reading = ask(PROBE, machine(None, child))
    assert isinstance(reading, Unknown)
    assert reading.reason.startswith(reason)


def test_what_the_child_prints_besides_is_passed_over() -> None:
    answer = nvml(driver="580.95.05")
    noisy = said("a library's banner\n" + answer.stdout + "goodbye\n")  # type: ignore[attr-defined]
    assert value(ask(PROBE, machine(None, noisy))).version == "580.95.05"
