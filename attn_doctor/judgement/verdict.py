"""The verdict on a backend: how far it is from running, on the GPUs of each kind and on all of them."""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["ready", "installable", "blocked", "unsupported"]
STATUSES: tuple[Status, ...] = ("ready", "installable", "blocked", "unsupported")  # best first


class GpuVerdict(msgspec.Struct, frozen=True):
    """A backend on the GPUs of one kind. `indices` as NVML counts them."""

    indices: tuple[int, ...]
    name: str
    status: Status
    reasons: tuple[str, ...]


class KernelVerdict(msgspec.Struct, frozen=True):
    """One kernel of sdpa on the GPUs of one kind: whether it can run for what is needed, and why not."""

    gpu: str
    kernel: str  # flash, mem_efficient, cudnn, math
    usable: bool
    chosen: bool
    reason: str | None = None


class BackendVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict over all GPUs is the worst of them: what is recommended runs on all."""

    name: str
    status: Status
    reasons: tuple[str, ...]
    version: str | None
    gpus: tuple[GpuVerdict, ...] = ()
    kernels: tuple[KernelVerdict, ...] = ()
