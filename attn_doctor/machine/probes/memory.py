"""Memory: what the machine has, what is free now, and the limit a container puts on it."""

from __future__ import annotations

import msgspec

from attn_doctor.knowledge.versions import digits
from attn_doctor.machine.facts import Known, Reading, Unknown
from attn_doctor.machine.host import Host
from attn_doctor.machine.probe import Edit, Probe, WhatIf
from attn_doctor.machine.target import Target

MEMINFO = "/proc/meminfo"
SELF_CGROUP = "/proc/self/cgroup"
GIB = 1 << 30
# a cgroup without a limit says "max" (v2) or a number near 2**63 (v1)
NO_LIMIT = 1 << 60


class Memory(msgspec.Struct, frozen=True):
    """Bytes. `available` is rounded down, so that the same machine gives the same facts a second later."""

    total_bytes: int
    available_bytes: int
    limit_bytes: int | None = None  # of the cgroup


def parse_meminfo(text: str) -> tuple[int, int] | None:
    """Total and available bytes from the lines 'MemTotal:  24601616 kB'."""
    values = {}
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        number = rest.split()
        if number and digits(number[0]):
            values[key] = int(number[0]) * 1024
    if "MemTotal" not in values:
        return None
    return values["MemTotal"], values.get("MemAvailable", values.get("MemFree", 0))


def rounded(count: int) -> int:
    """Down to a GiB, below 4 GiB to an eighth of one."""
    unit = GIB if count >= 4 * GIB else GIB // 8
    return count // unit * unit


def cgroup_folders(text: str) -> tuple[str, str, list[str]]:
    """The files that hold limit and use, and the folders to look in (own group first), from /proc/self/cgroup."""
    version_2 = ""
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "memory" or "memory" in controllers.split(","):
            return "memory.limit_in_bytes", "memory.usage_in_bytes", _parents("/sys/fs/cgroup/memory", path)
        if not controllers:
            version_2 = path
    return "memory.max", "memory.current", _parents("/sys/fs/cgroup", version_2)


def _parents(root: str, path: str) -> list[str]:
    parts = [part for part in path.split("/") if part and part != ".."]
    return [root + "".join(f"/{part}" for part in parts[:length]) for length in range(len(parts), -1, -1)]


def parse_stat(text: str) -> int:
    """Bytes of cached files that the kernel gives back under pressure, from a group's memory.stat."""
    values = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    stated = values.get("total_inactive_file") or values.get("inactive_file") or ""
    return int(stated) if digits(stated) else 0


def cgroup_limit(host: Host) -> tuple[int, int] | None:
    """The tightest limit on this process and how much of it is used, in bytes; None where there is none."""
    limit_file, use_file, folders = cgroup_folders(host.read_text(SELF_CGROUP) or "")
    found = []
    for folder in folders:
        limit = (host.read_text(f"{folder}/{limit_file}") or "").strip()
        if digits(limit) and int(limit) < NO_LIMIT:
            used = (host.read_text(f"{folder}/{use_file}") or "").strip()
            cached = parse_stat(host.read_text(f"{folder}/memory.stat") or "")
            found.append((int(limit), max(0, int(used) - cached) if digits(used) else 0))
    return min(found, default=None)


def read(host: Host, _target: Target) -> Reading[Memory]:
    if host.system()[0] != "linux":
        totals = host.memory()
        return Known(Memory(totals[0], rounded(totals[1])), source="psutil") if totals else Unknown("psutil")
    totals = parse_meminfo(host.read_text(MEMINFO) or "")
    if totals is None:
        return Unknown(f"no MemTotal in {MEMINFO}")
    total, available = totals
    group = cgroup_limit(host)
    if group is None or group[0] >= total:
        return Known(Memory(total, rounded(available)), source=MEMINFO)
    limit, used = group
    return Known(Memory(total, rounded(max(0, min(available, limit - used))), limit), source=f"{MEMINFO}, cgroup")


UNITS = {
    "kib": 1 << 10, "mib": 1 << 20, "gib": GIB, "tib": 1 << 40,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "k": 1 << 10, "m": 1 << 20, "g": GIB, "t": 1 << 40,
}  # fmt: skip


def parse_size(value: str) -> int:
    """'16GiB', '512MiB', '1.5TiB', '16GB', '16G' -> bytes; ValueError for anything else, also for a bare number."""
    text = value.strip().lower()
    unit = next((name for name in UNITS if text.endswith(name)), None)
    if unit is None or not text.isascii():
        raise ValueError
    number = float(text.removesuffix(unit))
    if not 0 <= number < NO_LIMIT / UNITS[unit]:
        raise ValueError
    return int(number * UNITS[unit])


def _ram(edit: Edit, _key: str, value: str) -> None:
    size = parse_size(value)
    if size == 0:
        raise ValueError
    edit.readings["memory"] = Known(Memory(size, size), source="what-if")


PROBE = Probe(
    "memory", Memory, read, plain=Memory(32 * GIB, 32 * GIB), what_if=(WhatIf("ram", "a size such as 16GiB", _ram),)
)
