"""How much memory a build may still take: of the machine, and of the control group that it runs in."""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from attn_doctor.knowledge.versions import digits
from attn_doctor.machine.probes.memory import MEMINFO, NO_LIMIT, cgroup_folders, parse_meminfo, parse_stat


class Room(msgspec.Struct, frozen=True):
    """Bytes that are left of those there are. `kills`: processes of the group that were ended for memory so far."""

    left_bytes: int
    total_bytes: int
    group: str = ""
    kills: int = 0


def look(pid: int) -> Room | None:
    """As it is for that process; None where nothing says."""
    machine = parse_meminfo(_text(MEMINFO)) if os.path.exists(MEMINFO) else _by_psutil()
    if machine is None:
        return None
    total, left = machine
    limit_file, use_file, folders = cgroup_folders(_text(f"/proc/{pid}/cgroup"))
    for limit, used in _limits(limit_file, use_file, folders):
        total, left = min(total, limit), min(left, max(0, limit - used))
    return Room(left, total, folders[0], next((found for found in map(_kills, folders) if found is not None), 0))


def _limits(limit_file: str, use_file: str, folders: list[str]) -> Iterator[tuple[int, int]]:
    """The limit of every group that has one, and what is used there for good."""
    for folder in folders:
        limit = _text(f"{folder}/{limit_file}").strip()
        if digits(limit) and int(limit) < NO_LIMIT:
            used = _text(f"{folder}/{use_file}").strip()
            cached = parse_stat(_text(f"{folder}/memory.stat"))
            yield int(limit), max(0, int(used) - cached) if digits(used) else 0


def _kills(folder: str) -> int | None:
    """The counter 'oom_kill' of a group, of version 2 or 1; None where it has none."""
    for name in ("memory.events", "memory.oom_control"):
        for line in _text(f"{folder}/{name}").splitlines():
            key, _, number = line.partition(" ")
            if key == "oom_kill" and digits(number):
                return int(number)
    return None


def _by_psutil() -> tuple[int, int]:
    import psutil

    found = psutil.virtual_memory()
    return found.total, found.available


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
