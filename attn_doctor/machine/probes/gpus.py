"""Every GPU of the machine: name, compute capability, memory, MIG; of any maker."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from attn_doctor.knowledge.versions import digits, numbers
from attn_doctor.machine.facts import Absent, Known, Reading, Unknown
from attn_doctor.machine.host import CannotLook, Completed, Host, join, run
from attn_doctor.machine.probe import TIMEOUT_S, Edit, Probe, WhatIf
from attn_doctor.machine.probes import _nvidia
from attn_doctor.machine.probes.driver import imagined
from attn_doctor.machine.target import Target

MOST_GPUS = 1024
PROC_GPUS = "/proc/driver/nvidia/gpus"
KFD_NODES = "/sys/class/kfd/kfd/topology/nodes"


class Mig(msgspec.Struct, frozen=True):
    """How a GPU is partitioned: one entry an instance, as 'MIG 1g.10gb' and bytes."""

    instances: tuple[str, ...] = ()
    memory_bytes: tuple[int, ...] = ()


Capability = Annotated[str, msgspec.Meta(pattern=r"^\d{1,2}\.\d$")]


class Gpu(msgspec.Struct, frozen=True):
    """One GPU. None where nothing and nobody says it."""

    index: int
    name: str
    vendor: str  # nvidia, amd, apple, intel
    compute_capability: Capability | None = None  # NVIDIA
    memory_bytes: int | None = None
    gfx: str | None = None  # AMD
    mig: Mig | None = None  # None: not partitioned
    fault: str | None = None  # why it does not answer


def read(host: Host, _target: Target) -> Reading[tuple[Gpu, ...]]:
    if host.system()[0] == "macos":
        return _apple(host)
    found, source = _nvidia_gpus(host)
    others = _amd(host) if not isinstance(found, Unknown) else ()
    if isinstance(found, Unknown):
        return found
    listed = tuple(msgspec.structs.replace(gpu, index=index) for index, gpu in enumerate((*found, *others)))
    if listed:
        return Known(listed, source=source if found else KFD_NODES)
    return Absent(("NVML", "nvidia-smi", PROC_GPUS, _nvidia.PCI_DEVICES, KFD_NODES))


def _nvidia_gpus(  # noqa: PLR0911 - one return a source
    host: Host,
) -> tuple[tuple[Gpu, ...] | Unknown, str]:
    answer = _nvidia.ask_nvml(host)
    if isinstance(answer, _nvidia.Nvml) and not answer.error and (answer.devices or answer.lost):
        return _from_nvml(answer), "NVML"
    if isinstance(answer, _nvidia.Hung):
        return Unknown(answer.reason), ""  # nvidia-smi would hang as well
    listed = _nvidia.ask_smi(host) if answer is not None else []
    if listed and not isinstance(listed, str):
        return tuple(
            _gpu(index, gpu.name, gpu.compute_capability, gpu.memory_bytes) for index, gpu in enumerate(listed)
        ), "nvidia-smi"
    models = _models(host)
    if models:
        return tuple(_gpu(index, name, None, None) for index, name in enumerate(models)), PROC_GPUS
    on_bus = [gpu for gpu in _pci(host) if gpu.vendor == "nvidia"]
    if on_bus:
        return tuple(_from_pci(index, gpu.device) for index, gpu in enumerate(on_bus)), _nvidia.PCI_DEVICES
    if isinstance(answer, str):
        return Unknown(answer), ""
    if answer and (refusal := _nvidia.refusal(answer)):
        return Unknown(refusal), ""
    if isinstance(listed, str):
        return Unknown(listed), ""
    return (), ""


def from_files(host: Host) -> Reading[tuple[Gpu, ...]] | None:
    """The GPUs that a loaded driver lists, where the table of products knows all of them; None where it does not.

    A container sees them all under /proc and may use fewer: then the device files are fewer as well.
    """
    found = tuple(_gpu(index, name, None, None) for index, name in enumerate(_models(host)))
    try:
        devices = [name for name in host.list_dir("/dev") if digits(name.removeprefix("nvidia"))]
    except CannotLook:
        return None
    devices = [name for name in devices if name.startswith("nvidia")]
    if not found or len(devices) != len(found) or any(gpu.compute_capability is None for gpu in found):
        return None
    return Known(found, source=PROC_GPUS)


def _from_nvml(answer: _nvidia.Nvml) -> tuple[Gpu, ...]:
    alive = [_from_device(device) for device in answer.devices]
    lost = [Gpu(gpu.index, "a GPU that does not answer", "nvidia", fault=gpu.error) for gpu in answer.lost]
    return tuple(sorted((*alive, *lost), key=lambda gpu: gpu.index))


def _from_device(device: _nvidia.NvmlDevice) -> Gpu:
    gpu = _gpu(device.index, device.name or "NVIDIA GPU", device.compute_capability, device.memory_bytes)
    if device.mig is None or not device.mig.enabled:
        return gpu
    instances = tuple(instance.name or "MIG instance" for instance in device.mig.devices)
    memory = tuple(instance.memory_bytes or 0 for instance in device.mig.devices)
    return msgspec.structs.replace(gpu, mig=Mig(instances, memory))


def _gpu(index: int, name: str, capability: str | None, memory: int | None) -> Gpu:
    """What the driver says; the table of products only where it says nothing."""
    if capability is not None:
        return Gpu(index, name, "nvidia", capability, memory)
    from attn_doctor.knowledge import gpus as products  # a long table: only where a driver does not say

    product = products.find(name)
    if product is None:
        return Gpu(index, name, "nvidia", None, memory)
    return Gpu(index, name, "nvidia", product.compute_capability, memory or product.memory_bytes)


def _models(host: Host) -> list[str]:
    """The product names that a loaded driver lists under /proc."""
    try:
        texts = [host.read_text(join(PROC_GPUS, slot, "information")) or "" for slot in host.list_dir(PROC_GPUS)]
    except CannotLook:
        return []
    return [name for name in map(parse_information, texts) if name]


def parse_information(text: str) -> str | None:
    """The model of /proc/driver/nvidia/gpus/<slot>/information: 'Model:  NVIDIA GeForce RTX 3090'."""
    lines = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for key, _, value in lines if key == "Model" and "Unknown" not in value), None)


def _pci(host: Host) -> list[_nvidia.PciGpu]:
    try:
        return _nvidia.pci_gpus(host)
    except CannotLook:
        return []


def _from_pci(index: int, device: str) -> Gpu:
    from attn_doctor.knowledge import gpus as products

    product = products.find_pci(device)
    if product is None:
        return Gpu(index, f"NVIDIA GPU {device}", "nvidia")
    return Gpu(index, product.name, "nvidia", product.compute_capability, product.memory_bytes)


def parse_kfd(text: str) -> str | None:
    """'gfx942' from a node's 'gfx_target_version 90402'; None for a CPU node."""
    match = re.search(r"^gfx_target_version (\d+)$", text, re.MULTILINE)
    version = int(match[1]) if match else 0
    # decimal: major * 10000 + minor * 100 + step, the last two written in hexadecimal
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}" if version else None


def _amd(host: Host) -> tuple[Gpu, ...]:
    found: list[Gpu] = []
    try:
        for node in host.list_dir(KFD_NODES):
            gfx = parse_kfd(host.read_text(join(KFD_NODES, node, "properties")) or "")
            name = (host.read_text(join(KFD_NODES, node, "name")) or "").strip()
            if gfx:
                found.append(Gpu(len(found), f"AMD {name or gfx}", "amd", gfx=gfx))
    except CannotLook:
        return ()
    return tuple(found)


def _apple(host: Host) -> Reading[tuple[Gpu, ...]]:
    if host.system()[1] != "aarch64":
        return Absent(("Apple silicon",))
    answer = run(host, ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], TIMEOUT_S)
    name = answer.stdout.strip() if isinstance(answer, Completed) else ""
    return Known((Gpu(0, name or "Apple GPU", "apple"),), source="sysctl machdep.cpu.brand_string")


def _listed(edit: Edit) -> list[Gpu]:
    reading = edit.readings.get("gpus")
    return list(reading.value) if isinstance(reading, Known) else []


def _store(edit: Edit, listed: list[Gpu]) -> None:
    numbered = tuple(msgspec.structs.replace(gpu, index=index) for index, gpu in enumerate(listed))
    edit.readings["gpus"] = Known(numbered, source="what-if") if numbered else Absent(("what-if",))


def _set_gpu(edit: Edit, _key: str, value: str) -> None:
    from attn_doctor.knowledge import cuda
    from attn_doctor.knowledge import gpus as products

    before = _listed(edit) if "gpu" in edit.given else []
    if value == "none":
        _store(edit, [])
        return
    product = products.find(value)
    vendor = product.vendor if product else products.vendor_of(value)
    if vendor is None:
        near = products.nearest(value)
        raise ValueError("a product name of the table" + (f": {', '.join(near)}" if near else ""))
    if product is None and vendor == "nvidia" and "cc" not in _of_this_gpu(edit.ahead):
        near = products.nearest(value)
        raise ValueError(
            "a product name of the table, or a cc=X.Y behind it" + (f"; near: {', '.join(near)}" if near else "")
        )
    gpu = Gpu(0, value if product is None else product.name, vendor)
    if product:
        gpu = msgspec.structs.replace(
            gpu, compute_capability=product.compute_capability, memory_bytes=product.memory_bytes, gfx=product.gfx
        )
    _store(edit, [*before, gpu])
    if edit.simulated and vendor == "nvidia" and "driver" not in edit.given:
        system = edit.readings["system"]
        newest = min(
            (cuda.newest_driver(system.value.os, on=gpu.compute_capability) for gpu in _listed(edit)), key=numbers
        )
        edit.readings["driver"] = Known(imagined(edit, newest), source="what-if")


def _of_this_gpu(ahead: list[str]) -> list[str]:
    """The keys that speak of the GPU just named: those before the next one."""
    return ahead[: ahead.index("gpu")] if "gpu" in ahead else ahead


def _last(edit: Edit) -> tuple[list[Gpu], Gpu]:
    listed = _listed(edit)
    if not listed:
        raise ValueError("a gpu before it")
    return listed[:-1], listed[-1]


def _count(edit: Edit, _key: str, value: str) -> None:
    if not digits(value) or not 0 < int(value) <= MOST_GPUS:
        raise ValueError
    before, last = _last(edit)
    # of a machine with eight like it, all eight are meant
    same = 0 if "gpu" in edit.given else _trailing(before, last)
    _store(edit, [*before[: len(before) - same], *[last] * int(value)])


def _cc(edit: Edit, _key: str, value: str) -> None:
    if not re.fullmatch(r"\d{1,2}\.\d", value):
        raise ValueError
    before, last = _last(edit)
    if last.vendor != "nvidia":
        raise ValueError("an NVIDIA gpu before it")
    same = _trailing(before, last)
    changed = msgspec.structs.replace(last, compute_capability=value)
    _store(edit, [*before[: len(before) - same], *[changed] * (same + 1)])


def _vram(edit: Edit, _key: str, value: str) -> None:
    from attn_doctor.machine.probes.memory import parse_size

    size = parse_size(value)
    before, last = _last(edit)
    same = _trailing(before, last)
    changed = msgspec.structs.replace(last, memory_bytes=size)
    _store(edit, [*before[: len(before) - same], *[changed] * (same + 1)])


def _trailing(before: list[Gpu], last: Gpu) -> int:
    """How many GPUs right before the last are its copies (from gpu_count)."""
    count = 0
    for gpu in reversed(before):
        if msgspec.structs.replace(gpu, index=last.index) != last:
            break
        count += 1
    return count


PROBE = Probe(
    "gpus",
    tuple[Gpu, ...],
    read,
    what_if=(
        WhatIf("gpu", "a product name such as NVIDIA GeForce RTX 3050, or none", _set_gpu),
        WhatIf("gpu_count", "a number of GPUs; it speaks of the gpu before it", _count),
        WhatIf("cc", "a compute capability such as 8.6; it speaks of the gpu before it", _cc),
        WhatIf("vram", "a size such as 4GiB; it speaks of the gpu before it", _vram),
    ),
)
