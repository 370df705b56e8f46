"""Clock, temperature and what holds the clock back, of one GPU: one line of JSON, by NVML.

clocks.py [UUID | PCI-BUS-ID ...]: the first of these that the driver knows; without any the only one there is.

Runs in attn-doctor's own interpreter, in a process of its own: a driver that hangs takes this one along and nothing else.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

import pynvml

REASONS = {
    "nvmlClocksThrottleReasonSwPowerCap": "power cap",
    "nvmlClocksThrottleReasonHwSlowdown": "hardware slowdown",
    "nvmlClocksThrottleReasonSwThermalSlowdown": "thermal (driver)",
    "nvmlClocksThrottleReasonHwThermalSlowdown": "thermal (hardware)",
    "nvmlClocksThrottleReasonHwPowerBrakeSlowdown": "power brake",
    "nvmlClocksThrottleReasonApplicationsClocksSetting": "clocks set by hand",
    "nvmlClocksThrottleReasonSyncBoost": "sync boost",
}


def main() -> None:
    pynvml.nvmlInit()
    handle = found(sys.argv[1:])
    if handle is None:
        print("{}")
        return
    asked = {
        "clock_mhz": lambda: pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM),
        "highest_clock_mhz": lambda: pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM),
        "temperature_c": lambda: pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU),
        "held_back": lambda: held_back(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)),
    }
    read = {}
    for name, ask in asked.items():
        with suppress(pynvml.NVMLError, AttributeError):  # this device does not say it
            read[name] = ask()
    print(json.dumps(read))


def found(names: list[str]):
    """torch may count GPUs in another order, or see some of them alone: an index says nothing."""
    for name in names:
        with suppress(pynvml.NVMLError):
            if name.startswith("GPU-"):
                return pynvml.nvmlDeviceGetHandleByUUID(name)
            return pynvml.nvmlDeviceGetHandleByPciBusId(name)
    return pynvml.nvmlDeviceGetHandleByIndex(0) if not names and pynvml.nvmlDeviceGetCount() == 1 else None


def held_back(bits: int) -> list[str]:
    """The words for the bits that are set."""
    return [said for name, said in REASONS.items() if bits & getattr(pynvml, name, 0)]


if __name__ == "__main__":
    main()
