from __future__ import annotations

import json

import pytest

from attn_doctor.machine.facts import Absent, Unknown
from attn_doctor.machine.host import Failed
from attn_doctor.machine.probe import timeout_s
from attn_doctor.machine.probes._nvidia import SmiGpu, parse_smi
from attn_doctor.machine.probes.gpus import PROBE, Gpu, Mig, parse_kfd
from support import REFUSED, VENV, Described, ask, said, value

MIB = 1 << 20
SMI = "/usr/bin/nvidia-smi"
QUERY = f"{SMI} --query-gpu=name,compute_cap,memory.total,driver_version --format=csv,noheader,nounits"
LIBRARY = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
FAILED = """NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.

"""  # noqa: E501 - as captured
# node 4 of an MI300X machine and node 0 (its processor), shortened
KFD_GPU = """cpu_cores_count 0
simd_count 1216
mem_banks_count 1
max_waves_per_simd 8
gfx_target_version 90402
vendor_id 4098
device_id 29857
"""
KFD_CPU = """cpu_cores_count 96
simd_count 0
mem_banks_count 1
gfx_target_version 0
vendor_id 0
"""
NODES = "/sys/class/kfd/kfd/topology/nodes"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "NVIDIA GeForce RTX 4090, 8.9, 24564, 550.144.03\n",
            [SmiGpu("NVIDIA GeForce RTX 4090", "8.9", 24564 * MIB, "550.144.03")],
            id="one",
        ),
        pytest.param(
            "Tesla T4, 7.5, 15360, 535.183.01\nNVIDIA L4, 8.9, 23034, 535.183.01\n",
            [
                SmiGpu("Tesla T4", "7.5", 15360 * MIB, "535.183.01"),
                SmiGpu("NVIDIA L4", "8.9", 23034 * MIB, "535.183.01"),
            ],
            id="two",
        ),
        pytest.param(
            "NVIDIA GB10, 12.1, [N/A], 580.95.05\n", [SmiGpu("NVIDIA GB10", "12.1", None, "580.95.05")], id="[N/A]"
        ),
        pytest.param(
            "NVIDIA A100, [N/A], [Insufficient Permissions], 550.54.15\n",
            [SmiGpu("NVIDIA A100", None, None, "550.54.15")],
            id="not allowed",
        ),
        pytest.param(FAILED, [], id="no driver"),
        pytest.param(
            "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 570.86\n",
            [],
            id="mismatch",
        ),
        pytest.param('Field "compute_cap" is not a valid field to query.\n\n', [], id="older than the field"),
        pytest.param("No devices were found\n", [], id="no devices"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_parse_smi(text: str, expected: list[SmiGpu]) -> None:
    assert parse_smi(text) == expected


@pytest.mark.parametrize(
    ("text", "gfx"),
    [
        (KFD_GPU, "gfx942"),
        (KFD_CPU, None),
        ("gfx_target_version 90010\n", "gfx90a"),
        ("gfx_target_version 90006\n", "gfx906"),
        ("gfx_target_version 100300\n", "gfx1030"),
        ("gfx_target_version 110501\n", "gfx1151"),
        ("gfx_target_version 120001\n", "gfx1201"),
        ("simd_count 4\n", None),
        ("", None),
    ],
)
def test_parse_kfd(text: str, gfx: str | None) -> None:
    assert parse_kfd(text) == gfx


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, 10.0), ("1", 1.0), ("2.5", 2.5), ("0", 0.1), ("-3", 0.1), ("1e9", 3600.0), ("soon", 10.0), ("", 10.0)],
)
def test_timeout(text: str | None, seconds: float) -> None:
    env = {} if text is None else {"ATTN_DOCTOR_PROBE_TIMEOUT": text}
    assert timeout_s(Described(env=env)) == seconds


def test_a_timeout_that_is_no_number_is_the_default() -> None:
    assert 0.1 <= timeout_s(Described(env={"ATTN_DOCTOR_PROBE_TIMEOUT": "nan"})) <= 3600


def nvml(**answer: object) -> object:
    whole = {"library": True, "error": None, "driver": "580.95.05", "cuda": "13.0", "devices": [], "lost": []}
    return said("ATTN_DOCTOR_NVML " + json.dumps(whole | answer) + "\n")


def device(index: int, **fields: object) -> dict[str, object]:
    plain = {"name": "NVIDIA A100-SXM4-80GB", "compute_capability": "8.0", "memory_bytes": 81920 * MIB, "mig": None}
    return {"index": index} | plain | fields


def pci(*cards: tuple[str, str, str]) -> dict[str, str | Exception]:
    """(class, vendor, device) as the files of /sys/bus/pci/devices hold them."""
    folder = "/sys/bus/pci/devices/0000:{:02x}:00.0/{}"
    names = ("class", "vendor", "device")
    return {
        folder.format(slot, name): text + "\n"
        for slot, card in enumerate(cards)
        for name, text in zip(names, card, strict=True)
    }


T4 = ("0x030200", "0x10de", "0x1eb8")


def test_nothing() -> None:
    host = Described(pci(("0x020000", "0x10de", "0x1db1"), ("0x030000", "0x1234", "0x1111")))
    assert isinstance(ask(PROBE, host), Absent)


def ask_with_nvml(child: object, files: dict[str, str | Exception] | None = None, smi: object = None) -> object:
    host = Described(
        {LIBRARY: ""} | (files or {}),
        executables={SMI} if smi else set(),
        env={"PATH": "/usr/bin"},
        commands={"nvml": child, QUERY: smi},
    )
    host.start("nvml", [])
    return ask(PROBE, host)


def test_nvml() -> None:
    reading = ask_with_nvml(nvml(devices=[device(0), device(1, name="Tesla T4", compute_capability="7.5")]))
    assert [(gpu.index, gpu.name, gpu.compute_capability) for gpu in value(reading)] == [
        (0, "NVIDIA A100-SXM4-80GB", "8.0"),
        (1, "Tesla T4", "7.5"),
    ]


def test_mig() -> None:
    instance = {"name": "NVIDIA A100-SXM4-80GB MIG 1g.10gb", "memory_bytes": 9728 * MIB}
    split = {"enabled": True, "devices": [instance, instance]}
    whole = {"enabled": False, "devices": []}
    first, second, third = value(ask_with_nvml(nvml(devices=[device(0, mig=split), device(1, mig=whole), device(2)])))
    assert first.mig == Mig(("NVIDIA A100-SXM4-80GB MIG 1g.10gb",) * 2, (9728 * MIB,) * 2)
    assert (second.mig, third.mig) == (None, None)


def test_a_lost_gpu_keeps_its_place_and_says_why() -> None:
    lost = [{"index": 1, "error": "GPU is lost"}]
    found = value(ask_with_nvml(nvml(devices=[device(0), device(2)], lost=lost)))
    assert [gpu.fault for gpu in found] == [None, "GPU is lost", None]


def test_what_nvml_does_not_say_comes_from_the_table_of_products() -> None:
    (gpu,) = value(ask_with_nvml(nvml(devices=[device(0, name="Tesla T4", compute_capability=None)])))
    assert gpu.compute_capability == "7.5"


def test_a_driver_newer_than_the_table_is_believed() -> None:
    (gpu,) = value(ask_with_nvml(nvml(devices=[device(0, name="NVIDIA Z900", compute_capability="14.0")])))
    assert (gpu.name, gpu.compute_capability) == ("NVIDIA Z900", "14.0")


def test_nvidia_smi_where_nvml_does_not_answer() -> None:
    smi = said("NVIDIA GB10, 12.1, [N/A], 580.95.05\n")
    reading = ask_with_nvml(said("", -11), smi=smi)
    assert value(reading) == (Gpu(0, "NVIDIA GB10", "nvidia", "12.1"),)
    assert reading.source == "nvidia-smi"  # type: ignore[attr-defined]


def test_the_bus_without_a_driver() -> None:
    reading = ask(PROBE, Described(pci(T4, ("0x060000", "0x8086", "0x1237"))))
    (gpu,) = value(reading)
    assert (gpu.index, gpu.vendor, gpu.compute_capability) == (0, "nvidia", "7.5")
    assert "T4" in gpu.name
    assert reading.source == "/sys/bus/pci/devices"


def test_an_unknown_card_on_the_bus_is_still_a_card() -> None:
    (gpu,) = value(ask(PROBE, Described(pci(("0x030000", "0x10de", "0xfff1")))))
    assert (gpu.name, gpu.compute_capability, gpu.memory_bytes) == ("NVIDIA GPU fff1", None, None)


@pytest.mark.parametrize("smi", [said(FAILED, 9), said("NVIDIA L4, 8.9, 1, 535.1\n", 255), Failed("no")])
def test_nvidia_smi_that_fails_says_nothing_and_the_bus_is_read(smi: object) -> None:
    error = {"code": 9, "name": "NVML_ERROR_DRIVER_NOT_LOADED", "text": "Driver Not Loaded"}
    reading = ask_with_nvml(nvml(error=error, driver=None), pci(T4), smi)
    assert reading.source == "/sys/bus/pci/devices"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        (Failed("no answer within 1 s", timed_out=True), "NVML: no answer within 1 s"),
        (said("", -11), "NVML crashed (signal 11)"),
        (
            nvml(error={"code": 18, "name": "NVML_ERROR_LIB_RM_VERSION_MISMATCH", "text": "mismatch"}, driver=None),
            "NVML: mismatch",
        ),
        (nvml(error={"code": 999, "name": "NVML_ERROR_UNKNOWN", "text": "Unknown Error"}), "NVML: Unknown Error"),
    ],
    ids=["hangs", "crashes", "mismatch", "count fails"],
)
def test_no_answer_and_nothing_on_the_bus_is_unknown(child: object, reason: str) -> None:
    assert ask_with_nvml(child) == Unknown(reason)


def test_no_driver_and_nothing_on_the_bus_is_none() -> None:
    error = {"code": 9, "name": "NVML_ERROR_DRIVER_NOT_LOADED", "text": "Driver Not Loaded"}
    assert isinstance(ask_with_nvml(nvml(error=error, driver=None)), Absent)


def test_a_driver_that_counts_no_gpu_is_none() -> None:
    assert isinstance(ask_with_nvml(nvml()), Absent)


def test_amd() -> None:
    files = {f"{NODES}/0/properties": KFD_CPU, f"{NODES}/1/properties": KFD_GPU, f"{NODES}/1/name": "aqua_vanjaram\n"}
    reading = ask(PROBE, Described(files))
    assert value(reading) == (Gpu(0, "AMD aqua_vanjaram", "amd", gfx="gfx942"),)
    assert reading.source == NODES


def test_nvidia_and_amd_side_by_side_are_numbered_through() -> None:
    files = pci(T4) | {f"{NODES}/1/properties": KFD_GPU}
    found = value(ask(PROBE, Described(files)))
    assert [(gpu.index, gpu.vendor) for gpu in found] == [(0, "nvidia"), (1, "amd")]


def test_sysfs_that_may_not_be_read_is_no_crash() -> None:
    host = Described({"/sys/bus/pci/devices/": REFUSED, NODES + "/": REFUSED})
    assert isinstance(ask(PROBE, host), Absent)


def test_apple() -> None:
    sysctl = {"/usr/sbin/sysctl -n machdep.cpu.brand_string": said("Apple M3 Max\n")}
    arm = Described(system=("macos", "aarch64", "24.1.0"), commands=sysctl)
    assert value(ask(PROBE, arm, VENV)) == (Gpu(0, "Apple M3 Max", "apple"),)
    assert isinstance(ask(PROBE, Described(system=("macos", "x86_64", "23.6.0"))), Absent)
