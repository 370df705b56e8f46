"""The facts that decide which backend runs, for a process that asks about itself and cannot wait.

From files alone where they suffice. A driver that lists its GPUs under /proc is believed where the table of products
knows every one of them; what is then not known (memory, partitions) decides nothing here. Where torch has initialised
CUDA in this very process it has asked the driver already, and its answer is taken. Else NVML is asked, in a child.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from attn_doctor.machine.facts import AnyReading, Known
from attn_doctor.machine.gather import Facts, read
from attn_doctor.machine.target import running

if TYPE_CHECKING:
    from attn_doctor.machine.host import Host
    from attn_doctor.machine.probe import Probe
    from attn_doctor.machine.probes.gpus import Gpu

NAMES = ("environment", "extensions", "libc", "packages", "python", "system", "torch")
GPU_NAMES = ("driver", "gpus")
VISIBLE = "CUDA_VISIBLE_DEVICES"


def gather(host: Host, besides: Iterable[str] = ()) -> Facts:
    """Readings of the interpreter that runs this: of these probes, of those that `besides` names, and of no other."""
    target = running(host)
    wanted = {name: _probe(name) for name in sorted({*NAMES, *besides})}
    readings = _gpus(host)
    if readings is None:
        slow = {name: _probe(name) for name in GPU_NAMES}
        for probe in slow.values():
            if probe.begin:
                probe.begin(host, target)
        wanted |= slow  # last: what the child has to say is waited for when all else is read
    readings = {name: read(probe, host, target) for name, probe in wanted.items()} | (readings or {})
    gpus, variables = readings["gpus"], readings["environment"]
    if isinstance(gpus, Known) and gpus.source == OF_TORCH and isinstance(variables, Known):
        # torch lists what that variable has left: it must not be counted twice
        left = {name: value for name, value in variables.value.items() if name != VISIBLE}
        readings["environment"] = msgspec.structs.replace(variables, value=left)
    return Facts(readings=readings)


def _probe(name: str) -> Probe:
    found: Probe = import_module(f"attn_doctor.machine.probes.{name}").PROBE
    return found


def _gpus(host: Host) -> dict[str, AnyReading] | None:
    """Driver and GPUs without a child; None where that cannot be had."""
    from attn_doctor.machine.probes import driver, gpus

    loaded = driver.from_files(host)
    listed = (_of_torch() or gpus.from_files(host)) if loaded else None
    return {"driver": loaded, "gpus": listed} if loaded and listed else None


OF_TORCH = "torch.cuda, initialised in this process"


def _of_torch() -> Known[tuple[Gpu, ...]] | None:
    """The GPUs of a torch that is imported here and has initialised CUDA; it is never imported or initialised."""
    torch: Any = sys.modules.get("torch")
    try:
        if torch is None or not torch.version.cuda or not torch.cuda.is_initialized():
            return None
        found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    except Exception:  # noqa: BLE001 - a torch that is half imported, or none of ours
        return None
    from attn_doctor.machine.probes.gpus import Gpu

    listed = tuple(
        Gpu(index, str(one.name), "nvidia", f"{one.major}.{one.minor}", int(one.total_memory))
        for index, one in enumerate(found)
    )
    return Known(listed, source=OF_TORCH) if listed else None
