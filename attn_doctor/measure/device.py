"""What a device can be asked for: dtypes and settings of a training step, by what the child says of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from attn_doctor.knowledge import hints
from attn_doctor.knowledge.versions import numbers
from attn_doctor.measure.brought import FULL


def half(device: str, hello: Mapping[str, Any]) -> str | None:
    """The dtype of mixed precision: bf16 where the GPU has it, fp16 where that gains something. A CPU has bf16."""
    if device == "cpu":
        return "bf16"
    return next((name for name in ("bf16", "fp16") if _reaches(hello, name)), None)


def usual(device: str, hello: Mapping[str, Any]) -> str:
    """What one trains in: mixed precision on a GPU that gains from it, the full width on a CPU."""
    return (device == "cuda" and half(device, hello)) or FULL


def can(setting: str, device: str, hello: Mapping[str, Any]) -> bool:
    """Whether there is anything to try; that it works is seen when it is tried."""
    match setting:
        case "mixed_precision":
            return half(device, hello) is not None
        case "tf32":
            return device == "cuda" and _reaches(hello, "tf32")
        case "torch_compile":
            return hints.compiles_on(str(hello["python"]), str(hello["torch"]))
        case "expandable_segments":
            return device == "cuda" and bool(segments(hello))
    return True


def segments(hello: Mapping[str, Any]) -> dict[str, str]:
    """The variable that turns them on, beside what the user set; nothing where they don't work, or are on."""
    api = hints.api("expandable_segments", str(hello["torch"]))
    where = "windows" if sys.platform == "win32" else "wsl" if _under_wsl() else str(hello.get("capability"))
    if api is None or not hints.has_expandable_segments(where):
        return {}
    name = hints.allocator_variable(api.value, os.environ)
    have = os.environ.get(name, "")
    if "expandable_segments" in have:
        return {}
    return {name: ",".join(filter(None, (have, "expandable_segments:True")))}


def _reaches(hello: Mapping[str, Any], floor: str) -> bool:
    return numbers(str(hello.get("capability", "0"))) >= numbers(hints.floor(floor))


def _under_wsl() -> bool:
    with suppress(OSError), open("/proc/version", encoding="ascii", errors="replace") as version:
        return "microsoft" in version.read().lower()
    return False
