"""What a benchmark comes to: the document of `attn-doctor bench`."""

from __future__ import annotations

import msgspec

from attn_doctor import __version__
from attn_doctor.measure.shapes import Shape

SCHEMA = "attn-doctor/benchmark/1"
MEASURED = "measured"


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """Where it ran. `threads`: of the CPU; `memory_bytes`: of the device, of the machine on a CPU."""

    kind: str  # cpu, cuda
    name: str
    memory_bytes: int | None = None
    threads: int | None = None


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What times depend on, as it was at one moment; None where it cannot be read."""

    clock_mhz: float | None = None
    highest_clock_mhz: float | None = None
    temperature_c: float | None = None
    held_back: tuple[str, ...] = ()
    """Why the driver keeps the clock down: 'power cap', 'thermal' ..."""
    load: float | None = None
    """Processes that want to run, for each core."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One backend on one shape in one direction. Times in milliseconds, medians; memory beside the inputs."""

    subject: str
    shape: Shape
    direction: str  # forward, backward, both
    status: str  # measured, no memory, refused, crashed, hung, failed, left out
    reason: str = ""
    ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    """The quartiles of the single blocks."""
    calls: int = 0
    noisy: bool = False
    tflops: float | None = None
    """4·b·s²·h·d floating-point operations, half when causal, 2.5 times backward, 3.5 times both, by the second."""
    peak_bytes: int | None = None
    speedup: float | None = None
    """Over eager on the same shape in the same direction."""
    difference: float | None = None
    """Of the results from those of eager, where that runs, else of sdpa: root mean square, as a share."""


class Largest(msgspec.Struct, frozen=True, kw_only=True):
    """The largest batch of which forward and backward fit. `stopped`: what the next one failed with."""

    subject: str
    shape: Shape
    batch: int
    stopped: str


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A training step of a model with one backend. `setting`: what was changed besides; '' for nothing."""

    subject: str
    model: str
    setting: str = ""
    batch: int
    length: int
    dtype: str
    status: str
    reason: str = ""
    ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    steps: int = 0
    noisy: bool = False
    tokens_per_s: float | None = None
    samples_per_s: float | None = None
    flops_per_step: float | None = None
    mfu: float | None = None
    """Share of the peak rate; None where no sourced peak rate of this device is known."""
    peak_bytes: int | None = None
    reserved_bytes: int | None = None
    """What the allocator took from the device for it: more than the peak where memory lies in pieces."""
    losses: tuple[float, ...] = ()
    """Of the first steps, from the same weights and tokens for every backend."""


class Peak(msgspec.Struct, frozen=True, kw_only=True):
    """The rate that model flops utilisation is held against."""

    tflops: float
    dtype: str
    gpu: str
    source: str
    as_of: str


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """How far the losses of two backends lie apart, relative, at worst over the steps."""

    subject: str
    against: str
    steps: int
    largest: float


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The same measurement in an earlier document. `ratio`: new over old time; `said`: faster, slower, same."""

    subject: str
    what: str
    old_ms: float
    new_ms: float
    ratio: float
    said: str


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured. `kernel_s`: spent inside what is measured, warm-up too; `wall_s`: all of it."""

    schema: str = SCHEMA
    version: str = __version__
    date: str
    python: str
    torch: str
    packages: dict[str, str] = {}
    """The attention packages beside it, with their versions."""
    device: Device
    driver: str | None = None
    preset: str
    seed: int
    before: Conditions = Conditions()
    after: Conditions = Conditions()
    timings: tuple[Timing, ...] = ()
    largest: tuple[Largest, ...] = ()
    steps: tuple[Step, ...] = ()
    parity: tuple[Parity, ...] = ()
    peak: Peak | None = None
    against: str | None = None
    """The date of the document held against this one."""
    changes: tuple[Change, ...] = ()
    differs: tuple[str, ...] = ()
    """What else changed since: device, driver, torch, packages."""
    kernel_s: float = 0.0
    wall_s: float = 0.0
    left_out: int = 0
    """Measurements that the budget or an interrupt left out."""
    interrupted: bool = False
