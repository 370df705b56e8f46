"""The rows of training steps, and how far the losses of backends lie apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from msgspec.structs import replace

from attn_doctor.measure.benchmark import MEASURED, Parity, Peak, Step
from attn_doctor.measure.gpt2 import Config
from attn_doctor.measure.readings import NOISY, quartiles

FEW = 5  # steps: fewer say nothing of their spread


class Racer:
    """One subject with one setting, while it is trained."""

    def __init__(self, subject: str, dtype: str, batch: int, setting: str = "") -> None:
        self.subject, self.setting, self.dtype, self.batch = subject, setting, dtype, batch
        self.status, self.reason = "left out", "interrupted"
        self.too_large: list[int] = []
        self.times_s: list[float] = []
        self.losses: tuple[float, ...] = ()
        self.at_smallest: tuple[float, ...] = ()
        """Losses at the batch of those that take less."""
        self.memory: dict[str, int] = {}
        self.beside_s = 0.0
        """What a round costs beside its steps: making the model, warming up, compiling."""

    @property
    def runs(self) -> bool:
        return self.status == MEASURED

    @property
    def rate(self) -> float:
        """Samples by the second."""
        return self.batch / median(self.times_s) if self.times_s else 0.0

    def keep(self, answer: Mapping[str, Any]) -> None:
        """What the first round says."""
        self.status, self.reason = MEASURED, ""
        self.times_s += answer["times_s"]
        self.memory = {name: answer[name] for name in ("peak_bytes", "reserved_bytes") if name in answer}
        self.beside_s = answer["wall_s"] - sum(answer["times_s"])
        self.losses = self.numbers(answer["losses"], self.batch)

    def numbers(self, losses: Sequence[float], batch: int) -> tuple[float, ...]:
        """Those before the first that is none, which is a failure of the backend."""
        bad = next((place for place, loss in enumerate(losses) if not math.isfinite(loss)), len(losses))
        if bad < len(losses):
            where = f" at batch {batch}" if batch != self.batch else ""
            self.status, self.reason = "failed", f"the loss of step {bad + 1}{where} is no number"
        return tuple(losses[:bad])


def step(racer: Racer, config: Config, length: int, peak: Peak | None) -> Step:
    """The row of a racer."""
    did_not_fit = f"batch {', '.join(map(str, racer.too_large))} did not fit" if racer.too_large else ""
    row = Step(
        subject=racer.subject,
        model=config.name,
        setting=racer.setting,
        batch=racer.batch,
        length=length,
        dtype=racer.dtype,
        status=racer.status,
        reason="; ".join(filter(None, (did_not_fit if racer.runs else "", racer.reason))),
        losses=racer.losses,
    )
    if not racer.runs or not racer.times_s:
        return row
    low, middle, high = quartiles([one * 1e3 for one in racer.times_s])
    flops = config.flops(racer.batch, length)
    return replace(
        row,
        ms=middle,
        low_ms=low,
        high_ms=high,
        steps=len(racer.times_s),
        noisy=high - low > NOISY * middle or len(racer.times_s) < FEW,
        tokens_per_s=racer.batch * length / middle * 1e3,
        samples_per_s=racer.batch / middle * 1e3,
        flops_per_step=flops,
        mfu=flops / middle * 1e3 / (peak.tflops * 1e12) if peak else None,
        **racer.memory,
    )


def parities(racers: Sequence[Racer]) -> Iterator[Parity]:
    """Every subject against the first that has losses, at the same batch."""
    rows = [racer for racer in racers if not racer.setting and racer.losses]
    if not rows:
        return
    smallest = min(racer.batch for racer in rows)

    def of(racer: Racer) -> tuple[int, tuple[float, ...]]:
        return (smallest, racer.at_smallest) if racer.at_smallest else (racer.batch, racer.losses)

    (batch, true), base = of(rows[0]), rows[0].subject
    for other in rows[1:]:
        same, losses = of(other)
        apart = [abs(b - a) / abs(a) for a, b in zip(true, losses, strict=False)]
        if batch == same and apart:
            yield Parity(subject=other.subject, against=base, steps=len(apart), largest=max(apart))
