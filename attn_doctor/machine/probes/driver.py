"""The NVIDIA kernel driver: its version and the newest CUDA it speaks."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.machine.facts import Absent, Known, Reading, Unknown
from attn_doctor.machine.host import CannotLook, Host
from attn_doctor.machine.probe import Edit, Probe, WhatIf
from attn_doctor.machine.probes import _nvidia
from attn_doctor.machine.target import Target

PROC_VERSION = "/proc/driver/nvidia/version"


class Driver(msgspec.Struct, frozen=True):
    """A loaded NVIDIA kernel driver. `fault` says what is wrong where it is loaded and still does not answer."""

    version: str
    cuda: str | None = None  # the CUDA driver API version: what nvidia-smi heads with
    open_kernel_module: bool | None = None
    fault: str | None = None


def parse_proc_version(text: str) -> tuple[str, bool] | None:
    """Version and openness from 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.144.03  Release ...'."""
    if not text:
        return None
    match = re.search(r"^NVRM version:.*?\s(\d{3,}(?:\.\d+)+)\b", text, re.MULTILINE)
    return (match[1], "Open Kernel Module" in text) if match else None


def read(host: Host, _target: Target) -> Reading[Driver]:
    try:
        loaded = parse_proc_version(host.read_text(PROC_VERSION) or "")
    except CannotLook:
        loaded = None
    opened = loaded[1] if loaded else None
    answer = _nvidia.ask_nvml(host)
    if isinstance(answer, _nvidia.Nvml) and answer.driver:
        return Known(Driver(answer.driver, answer.cuda, opened), source="NVML")
    if isinstance(answer, _nvidia.Hung):
        return Unknown(answer.reason + (f" (/proc says that {loaded[0]} is loaded)" if loaded else ""))
    fault = answer if isinstance(answer, str) else answer.error.text if answer and answer.error else None
    listed = _nvidia.ask_smi(host)
    if not isinstance(listed, str) and listed and listed[0].driver:
        return Known(Driver(listed[0].driver, None, opened), source="nvidia-smi")
    if loaded:
        return Known(Driver(loaded[0], None, opened, fault), source=PROC_VERSION)
    if isinstance(answer, str):
        return Unknown(answer)
    if answer and (refusal := _nvidia.refusal(answer)):
        return Unknown(refusal)
    if isinstance(listed, str):
        return Unknown(listed)
    return Absent(("NVML", "nvidia-smi", PROC_VERSION))


def from_files(host: Host) -> Reading[Driver] | None:
    """The driver that is loaded, without asking it anything; None where no file says so."""
    try:
        loaded = parse_proc_version(host.read_text(PROC_VERSION) or "")
    except CannotLook:
        return None
    return Known(Driver(loaded[0], None, loaded[1]), source=PROC_VERSION) if loaded else None


def _driver(edit: Edit, _key: str, value: str) -> None:
    if value == "none":
        edit.readings["driver"] = Absent(("what-if",))
        return
    if not re.fullmatch(r"\d{2,}(\.\d+)*", value):
        raise ValueError
    edit.readings["driver"] = Known(imagined(edit, value), source="what-if")


def imagined(edit: Edit, version: str) -> Driver:
    """A driver of that version, with the CUDA it speaks by the table."""
    from attn_doctor.knowledge import cuda

    system = edit.readings.get("system")
    os = system.value.os if isinstance(system, Known) else "linux"
    return Driver(version, cuda.cuda_of_driver(version, os))


PROBE = Probe(
    "driver",
    Driver,
    read,
    _nvidia.begin,
    what_if=(WhatIf("driver", "a version such as 580.95.05, or none", _driver, rank=2),),
)
