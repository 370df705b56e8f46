"""What times depend on besides the code: clocks, heat, and other work on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from attn_doctor.measure.benchmark import Conditions
from attn_doctor.measure.child import FOLDER

TIMEOUT_S = 10.0
CPUINFO = "/proc/cpuinfo"
BUSY = 0.5  # processes that want to run, for each core, before anything of ours does


def conditions(device: str) -> Conditions:
    """Of the machine as it is now; None where nothing says."""
    load = None
    with suppress(OSError, AttributeError):
        load = round(os.getloadavg()[0] / (os.cpu_count() or 1), 2)
    return Conditions(clock_mhz=_cpu_mhz() if device == "cpu" else None, load=load)


def of_card(known: Conditions, device: str, hello: Mapping[str, Any]) -> Conditions:
    """With those of the GPU that is measured, by what the child says of it; nothing more where that is not known."""
    if device != "cuda":
        return known
    with suppress(OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        said = subprocess.run(
            [sys.executable, os.path.join(FOLDER, "clocks.py"), *map(str, hello.get("card", ()))],
            capture_output=True,
            timeout=TIMEOUT_S,
            check=True,
        )
        return msgspec.structs.replace(msgspec.json.decode(said.stdout, type=Conditions), load=known.load)
    return known


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
