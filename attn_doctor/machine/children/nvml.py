"""Ask NVML what GPUs there are, in a process of its own: `python -I -S nvml.py FOLDER_OF_PYNVML`.

A driver that hangs or crashes takes this process along and nothing else. It prints one line, the
marker and then JSON, and imports nothing of attn_doctor.
"""

from __future__ import annotations

import importlib
import json
import sys

TYPE_CHECKING = False  # typing itself would cost start-up time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MARKER = "ATTN_DOCTOR_NVML "
LIBRARY_NOT_FOUND = 12
NOT_FOUND = 6


class Nvml:
    """The bindings, one isolated call at a time."""

    def __init__(self, bindings: Any) -> None:
        self.bindings = bindings

    def ask(self, errors: list[str], name: str, *arguments: Any) -> Any:
        """The call's answer, or None and its reason in `errors`."""
        try:
            return getattr(self.bindings, name)(*arguments)
        except UnicodeDecodeError as error:
            return error.object  # the bindings decode strictly; text() does not
        except Exception as error:  # noqa: BLE001 - one call is isolated here
            errors.append(f"{name}: {error}")
            return None

    def error(self, error: Any) -> dict[str, Any]:
        """A refusal in the library's own words, which are the words of nvidia-smi."""
        said = text(self.ask([], "nvmlErrorString", error.value)) or str(error)
        # the bindings swallow the loader's message, which tells "no such file" from "wrong ELF class"
        if isinstance(error.__context__, OSError):
            said = f"{said}: {error.__context__}"
        return {"code": error.value, "name": self.error_name(error.value), "text": said}

    def error_name(self, code: int) -> str:
        names = (name for name in dir(self.bindings) if name.startswith("NVML_ERROR_"))
        return next((name for name in names if getattr(self.bindings, name) == code), f"NVML_ERROR_{code}")


def text(value: str | bytes | None) -> str | None:
    """Old bindings answer with bytes, new ones with str."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def then(value: Any, convert: Callable[[Any], Any]) -> Any:
    return None if value is None else convert(value)


def cuda_version(number: int) -> str | None:
    """12040 -> 12.4; 0 is CUDA's way of saying that no driver is loaded."""
    return f"{number // 1000}.{number % 1000 // 10}" if number else None


def system(nvml: Nvml, errors: list[str]) -> dict[str, Any]:
    """Versions. The last two answer without nvmlInit, so a mismatched library still tells which it is."""
    return {
        "driver": text(nvml.ask(errors, "nvmlSystemGetDriverVersion")),
        "nvml": text(nvml.ask(errors, "nvmlSystemGetNVMLVersion")),
        "cuda": then(nvml.ask(errors, "nvmlSystemGetCudaDriverVersion_v2"), cuda_version),
    }


def memory_bytes(nvml: Nvml, errors: list[str], handle: Any) -> int | None:
    """Not Supported where CPU and GPU share their memory (GB10, Jetson)."""
    total: int | None = then(nvml.ask(errors, "nvmlDeviceGetMemoryInfo", handle), lambda info: info.total)
    return total


def mig_devices(nvml: Nvml, errors: list[str], handle: Any) -> list[dict[str, Any]]:
    found = []
    for slot in range(nvml.ask(errors, "nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
        try:
            instance = nvml.bindings.nvmlDeviceGetMigDeviceHandleByIndex(handle, slot)
        except nvml.bindings.NVMLError as error:
            if error.value != NOT_FOUND:  # an empty slot, and a used one may follow
                errors.append(f"nvmlDeviceGetMigDeviceHandleByIndex: {error}")
            continue
        found.append(
            {
                "name": text(nvml.ask(errors, "nvmlDeviceGetName", instance)),
                "memory_bytes": memory_bytes(nvml, errors, instance),
            }
        )
    return found


def mig(nvml: Nvml, errors: list[str], handle: Any) -> dict[str, Any] | None:
    modes = nvml.ask(errors, "nvmlDeviceGetMigMode", handle)
    if modes is None:
        return None
    enabled = modes[0] == 1  # the current mode; the second waits for a reset
    return {"enabled": enabled, "devices": mig_devices(nvml, errors, handle) if enabled else []}


def device(nvml: Nvml, index: int, handle: Any) -> dict[str, Any]:
    """No UUID and no serial number: they identify a person's machine."""
    errors: list[str] = []
    capability = nvml.ask(errors, "nvmlDeviceGetCudaComputeCapability", handle)
    return {
        "index": index,
        "name": text(nvml.ask(errors, "nvmlDeviceGetName", handle)),
        "compute_capability": then(capability, lambda pair: f"{pair[0]}.{pair[1]}"),
        "memory_bytes": memory_bytes(nvml, errors, handle),
        "pci_device_id": then(
            nvml.ask(errors, "nvmlDeviceGetPciInfo", handle),
            lambda pci: f"{pci.pciDeviceId >> 16:04X}",  # device id above, vendor id below
        ),
        "mig": mig(nvml, errors, handle),
        "errors": errors,
    }


def look(nvml: Nvml) -> dict[str, Any]:
    answer: dict[str, Any] = {"library": True, "error": None, "driver": None, "nvml": None, "cuda": None}
    answer |= {"devices": [], "lost": [], "errors": []}
    count = 0
    try:
        nvml.bindings.nvmlInit()
        count = nvml.bindings.nvmlDeviceGetCount()
    except nvml.bindings.NVMLError as error:
        answer["error"] = nvml.error(error)
        if error.value == LIBRARY_NOT_FOUND:
            return answer | {"library": False}
    answer |= system(nvml, answer["errors"])
    for index in range(count):
        try:
            handle = nvml.bindings.nvmlDeviceGetHandleByIndex(index)
        except nvml.bindings.NVMLError as error:
            answer["lost"].append({"index": index, "error": str(error)})
            continue
        answer["devices"].append(device(nvml, index, handle))
    return answer


def main() -> None:
    # at the end: nothing in that folder may stand before the standard library
    sys.path.append(sys.argv[1])
    # no nvmlShutdown: the process ends anyway, and a sick driver may hang in it
    print(MARKER + json.dumps(look(Nvml(importlib.import_module("pynvml")))))


if __name__ == "__main__":
    main()
