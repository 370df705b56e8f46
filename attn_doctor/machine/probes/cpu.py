"""How many cores a build may use: the affinity of this process and the cgroup's quota."""

from __future__ import annotations

import msgspec

from attn_doctor.knowledge.versions import digits
from attn_doctor.machine.facts import Known, Reading
from attn_doctor.machine.host import Host
from attn_doctor.machine.probe import Edit, Probe, WhatIf
from attn_doctor.machine.target import Target

QUOTA_V2 = "/sys/fs/cgroup/cpu.max"
QUOTA_V1 = ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us")


class Cpu(msgspec.Struct, frozen=True):
    """Usable cores."""

    cores: int


def parse_quota(quota: str, period: str) -> int | None:
    """Cores a quota allows, rounded up; None for 'max', -1 or nonsense."""
    if not digits(quota) or not digits(period) or int(period) == 0 or int(quota) == 0:
        return None
    return -(-int(quota) // int(period))


def read(host: Host, _target: Target) -> Reading[Cpu]:
    cores = host.cores()
    if host.system()[0] != "linux":
        return Known(Cpu(cores), source="the operating system")
    words = (host.read_text(QUOTA_V2) or "").split() or [(host.read_text(path) or "").strip() for path in QUOTA_V1]
    allowed = parse_quota(words[0], words[-1])
    if allowed is None or allowed >= cores:
        return Known(Cpu(cores), source="the process's affinity")
    return Known(Cpu(allowed), source="the cgroup's cpu quota")


def _cores(edit: Edit, _key: str, value: str) -> None:
    if not digits(value) or not 0 < int(value) < 1 << 20:
        raise ValueError
    edit.readings["cpu"] = Known(Cpu(int(value)), source="what-if")


PROBE = Probe("cpu", Cpu, read, plain=Cpu(8), what_if=(WhatIf("cores", "a number of cores", _cores),))
