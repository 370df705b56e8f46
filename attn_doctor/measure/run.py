"""A whole benchmark: the conditions, the grid, the largest batch, the training step."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from attn_doctor.measure import conditions
from attn_doctor.measure.bench import CALL_S, SHARE_OF_MEMORY, Bench, Plan, Tell
from attn_doctor.measure.benchmark import MEASURED, Benchmark, Device, Largest
from attn_doctor.measure.largest import largest
from attn_doctor.measure.shapes import Shape
from attn_doctor.measure.training import Training, train


class Train(msgspec.Struct, frozen=True, kw_only=True):
    """The training step that is asked for. None: what fits the device. `settings`: tried with the fastest backend."""

    batch: int | None = None
    length: int | None = None
    dtype: str | None = None
    settings: tuple[str, ...] = ()


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a call asks for. `python`: the target's interpreter; `shapes`: empty for none."""

    python: str
    preset: str
    subjects: tuple[str, ...]
    shapes: tuple[Shape, ...]
    directions: tuple[str, ...]
    device: str
    seed: int
    date: str
    budget_s: float | None = None
    largest: bool = False
    packages: dict[str, str] = {}
    driver: str | None = None
    call_s: float = CALL_S
    block_s: float | None = None
    memory_bytes: int | None = None
    """What a CPU has free; None for no limit."""
    step: Train | None = None
    """The training step besides; None for none."""


def run(wish: Wish, tell: Tell) -> Benchmark:
    """Measure all of it; an interrupt keeps what is done. Raises NoAnswer where torch cannot be imported there."""
    began = time.monotonic()
    plan = Plan(
        subjects=wish.subjects,
        shapes=wish.shapes,
        directions=wish.directions,
        device=wish.device,
        seed=wish.seed,
        budget_s=wish.budget_s,
        memory_bytes=wish.memory_bytes,
        call_s=wish.call_s,
        block_s=wish.block_s,
    )
    before = conditions.conditions(wish.device)
    bench = Bench(wish.python, plan)
    found: list[Largest] = []
    interrupted = False
    try:
        hello = bench.start()
        before = conditions.of_card(before, wish.device, hello)
        try:
            bench.run(tell, began)
            if wish.largest:
                found.extend(_largest(bench, wish, tell))
        except KeyboardInterrupt:
            interrupted = True
    finally:
        bench.close()
    trained = Training(steps=(), parity=()) if interrupted else _trained(wish, began, tell)
    return Benchmark(
        date=wish.date,
        python=wish.python,
        torch=str(hello.get("torch", "")),
        packages=wish.packages,
        device=_device(wish.device, hello),
        driver=wish.driver,
        preset=wish.preset,
        seed=wish.seed,
        before=before,
        after=conditions.of_card(conditions.conditions(wish.device), wish.device, hello),
        timings=tuple(bench.timings),
        largest=tuple(found),
        steps=trained.steps,
        parity=trained.parity,
        peak=trained.peak,
        kernel_s=round(bench.spent.kernel_s + trained.kernel_s, 3),
        wall_s=round(time.monotonic() - began, 3),
        left_out=bench.left_out + trained.left_out,
        interrupted=interrupted or trained.interrupted,
    )


def _trained(wish: Wish, began: float, tell: Tell) -> Training:
    """The training step, where one is asked for, in what is left of the budget."""
    step, left_s = wish.step, None if wish.budget_s is None else wish.budget_s - (time.monotonic() - began)
    subjects = [name for name in wish.subjects if "." not in name]
    if step is None or (left_s is not None and left_s <= 0):
        return Training(steps=(), parity=(), left_out=len(subjects) if step else 0)
    return train(
        wish.python,
        subjects,
        device=wish.device,
        seed=wish.seed,
        batch=step.batch,
        length=step.length,
        dtype=step.dtype,
        budget_s=left_s,
        settings=step.settings,
        memory_bytes=int(wish.memory_bytes * SHARE_OF_MEMORY) if wish.memory_bytes else None,
        tell=tell,
    )


def _largest(bench: Bench, wish: Wish, tell: Tell) -> Iterator[Largest]:
    """For one shape of each head dimension: forward and backward where the backend has both."""
    ran = {row.subject for row in bench.timings if row.status == MEASURED}
    for shape in _each_head_dim(wish.shapes):
        for subject in (name for name in wish.subjects if name in ran or not wish.shapes):
            if bench.late:
                return
            tell(f"largest batch of {subject}, {shape.said}", 1.0)
            trains = any(
                row.subject == subject and row.direction != "forward" and row.status == MEASURED
                for row in bench.timings
            )
            yield largest(subject, shape, partial(bench.fits, subject, direction="both" if trains else "forward"))


def _each_head_dim(shapes: Sequence[Shape]) -> list[Shape]:
    """The causal one of middle length where there is one."""
    chosen: dict[int, Shape] = {}
    for head_dim in sorted({shape.head_dim for shape in shapes}):
        of_it = sorted(
            (one for one in shapes if one.head_dim == head_dim), key=lambda one: (not one.causal, one.length)
        )
        same = [one for one in of_it if one.causal == of_it[0].causal]
        chosen[head_dim] = same[len(same) // 2]
    return list(chosen.values())


def _device(kind: str, hello: dict[str, Any]) -> Device:
    if kind == "cuda":
        return Device(kind=kind, name=str(hello.get("name", "GPU")), memory_bytes=hello.get("memory_bytes"))
    memory = None
    with suppress(ImportError):
        import psutil

        memory = int(psutil.virtual_memory().total)
    return Device(kind=kind, name=_cpu_name(), memory_bytes=memory, threads=hello.get("threads"))


def _cpu_name() -> str:
    with suppress(OSError):
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            found = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), "")
        if found:
            return found
    return platform.processor() or platform.machine()


def held_against(new: Benchmark, old: Benchmark) -> Benchmark:
    """The new one with what changed since the old one."""
    from attn_doctor.measure.compare import changes, differs

    return replace(new, against=old.date, changes=tuple(changes(new, old)), differs=tuple(differs(new, old)))
