"""What times depend on besides the code: clocks, heat, and other work on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

import msgspec

from attn_doctor.measure.benchmark import Conditions
from attn_doctor.measure.child import FOLDER

TIMEOUT_S = 10.0
CPUINFO = "/proc/cpuinfo"
BUSY = 0.5  # processes that want to run, for each core, before anything of ours does


def conditions(device: str) -> Conditions:
    """As they are now; None where nothing says."""
    load = None
    with suppress(OSError, AttributeError):
        load = round(os.getloadavg()[0] / (os.cpu_count() or 1), 2)
    if device == "cuda":
        found = _gpu()
        return msgspec.structs.replace(found, load=load)
    return Conditions(clock_mhz=_cpu_mhz(), load=load)


def _gpu() -> Conditions:
    with suppress(OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        said = subprocess.run(
            [sys.executable, os.path.join(FOLDER, "clocks.py")], capture_output=True, timeout=TIMEOUT_S, check=True
        )
        return msgspec.json.decode(said.stdout, type=Conditions)
    return Conditions()


def _cpu_mhz() -> float | None:
    """The mean over the cores."""
    with suppress(OSError), open(CPUINFO, encoding="utf-8", errors="replace") as file:
        return parse_mhz(file.read())
    return None


def parse_mhz(text: str) -> float | None:
    """The mean of the lines 'cpu MHz : 2445.406' of /proc/cpuinfo."""
    found = [float(line.rpartition(":")[2]) for line in text.splitlines() if line.startswith("cpu MHz")]
    return round(sum(found) / len(found), 1) if found else None


def doubts(before: Conditions, after: Conditions) -> list[str]:
    """Why the times of this run may not be those of another one, each in a sentence."""
    said = []
    if before.load is not None and before.load > BUSY:
        said.append(f"other processes were at work ({before.load:g} for each core): close them and measure again")
    held = [one for one in after.held_back if one not in ("power cap", "clocks set by hand")]
    if held:
        said.append(f"the GPU was held back at the end: {', '.join(held)}")
    return said
