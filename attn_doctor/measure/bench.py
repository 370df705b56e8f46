"""How fast each backend is on this machine: times, rates, memory, and the largest batch that fits.

Backends are measured in turn, round after round, so that a clock that drifts or another process that wakes up hits
all of them alike. One that crashes, hangs or runs out of memory costs its row: the next call gets a new child.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

import msgspec
from msgspec.structs import replace

from attn_doctor.errors import NoAnswer
from attn_doctor.measure.benchmark import MEASURED, Timing
from attn_doctor.measure.child import MEMORY, Child, Ended
from attn_doctor.measure.readings import NOISY, quartiles
from attn_doctor.measure.shapes import Shape

SCRIPT = "bench.py"
ROUNDS, MOST_ROUNDS = 5, 10
BLOCK_S = {"cuda": 0.12, "cpu": 0.2}  # a grid for a CPU is small: starting torch is not to take most of the time
CALLS_AT_FIRST = 5  # to warm up, and until there is one reading
CALL_S = 300.0
GRACE_S = 5.0  # over the budget, for a call that has begun
SHARE_OF_MEMORY = 0.8  # of what is free: the rest of the machine goes on
BASE = "eager"
TRUSTED = (BASE, "sdpa")  # what other results are held against: nobody doubts them
LEFT_OUT, OVER = "left out", "the budget was over"
Tell = Callable[[str, float], None]
"""What is being measured, and the share that is done."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured. `budget_s`: None for all of it; `memory_bytes`: what a CPU may take, None: no limit."""

    subjects: tuple[str, ...]
    shapes: tuple[Shape, ...]
    directions: tuple[str, ...]
    device: str
    seed: int
    budget_s: float | None = None
    memory_bytes: int | None = None
    call_s: float = CALL_S
    block_s: float | None = None
    """How long readings are taken in one turn; None: what suits the device."""


class Spent(msgspec.Struct):
    """Seconds inside what is measured."""

    kernel_s: float = 0.0


class Bench:
    """The child, and what is known of speed so far."""

    def __init__(self, python: str, plan: Plan) -> None:
        environment = {MEMORY: str(int(plan.memory_bytes * SHARE_OF_MEMORY))} if plan.memory_bytes else {}
        self._child = Child(python, SCRIPT, environment)
        self._plan = plan
        self._block_s = plan.block_s or BLOCK_S[plan.device]
        self._rates: dict[tuple[str, str], float] = {}
        self._ends: dict[str, int] = {}
        self._until: float | None = None
        self.spent = Spent()
        self.timings: list[Timing] = []
        self.left_out = 0

    def start(self) -> dict[str, Any]:
        """What the child says of itself. Raises NoAnswer where torch cannot be imported, or sees no GPU."""
        self._child.start()
        if self._plan.device == "cuda" and not self._child.hello.get("cuda"):
            raise NoAnswer(f"torch {self._child.hello.get('torch', '')} sees no GPU")
        return self._child.hello

    def close(self) -> None:
        """End the child and what it started."""
        self._child.close()

    def run(self, tell: Tell, began: float) -> None:
        """Every shape in every direction. What is done stays in `timings` when this is interrupted."""
        plan = self._plan
        self._until = began + plan.budget_s if plan.budget_s is not None else None
        groups = [(shape, direction) for shape in plan.shapes for direction in plan.directions]
        total = sum(shape.flops(direction) + 1e9 for shape, direction in groups)
        done = 0.0
        for shape, direction in groups:
            tell(f"{shape.said} {direction}", done / total)
            self._group(shape, direction)
            done += shape.flops(direction) + 1e9

    def _group(self, shape: Shape, direction: str) -> None:
        """All subjects on one shape: in turn, each round in another order."""
        racers = [Racer(subject) for subject in self._plan.subjects]
        if self._until is not None and time.monotonic() + self._foreseen(shape, direction) > self._until:
            self.left_out += len(racers)
            return
        try:
            self._all_first(racers, shape, direction)
            for place in range(MOST_ROUNDS):
                running = [racer for racer in racers if racer.runs and racer.wants(place)]
                if not running or (place >= 1 and self.late):
                    break
                for racer in running[place % len(running) :] + running[: place % len(running)]:
                    known_s = median(racer.blocks[-1])
                    self._block(racer, shape, direction, {"do": "block", "known_s": known_s})
        finally:
            self.timings += finished(racers, shape, direction)

    def _all_first(self, racers: list[Racer], shape: Shape, direction: str) -> None:
        """What the others are held against comes first."""
        trusted = [racer for name in TRUSTED for racer in racers if racer.subject == name]
        for racer in (*trusted, *(racer for racer in racers if racer not in trusted)):
            base = next((one.subject for one in trusted if one.runs), TRUSTED[-1])
            self._first(racer, shape, direction, base)

    def _first(self, racer: Racer, shape: Shape, direction: str, base: str) -> None:
        """Warm up, look at the memory and at the result; what fails here is not asked again."""
        if self._ends.get(racer.subject, 0) > 1:
            racer.status, racer.reason = LEFT_OUT, "it ended two children before this"
        elif self.late:
            self._leave(racer)
        else:
            found = self._block(racer, shape, direction, {"do": "first", "against": base})
            racer.peak_bytes, racer.difference = found.get("peak_bytes"), found.get("difference")

    def _block(self, racer: Racer, shape: Shape, direction: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer; an empty one where the racer is out."""
        found = self._ask(racer, shape, direction, {**asked, "target_s": self._block_s})
        if found is None:
            return {}
        racer.blocks.append(found["times_s"])
        self._rates[racer.subject, direction] = shape.flops(direction) / median(found["times_s"])
        return found

    def _ask(self, racer: Racer, shape: Shape, direction: str, question: dict[str, Any]) -> dict[str, Any] | None:
        """The answer; None where the racer is out, and the reason with it."""
        plan = self._plan
        asked = {**question, "subject": racer.subject, "direction": direction, "device": plan.device}
        asked["shape"] = {**msgspec.to_builtins(shape), "seed": plan.seed}
        left = self._until - time.monotonic() + GRACE_S if self._until is not None else plan.call_s
        answer = self._child.ask(asked, max(1.0, min(plan.call_s, left)))
        if isinstance(answer, Ended) and answer.status == "hung" and left < plan.call_s:
            self._leave(racer)
            return None
        if isinstance(answer, Ended):
            self._ends[racer.subject] = self._ends.get(racer.subject, 0) + 1
            racer.status, racer.reason = answer.status, answer.reason
            return None
        self.spent.kernel_s += float(answer.get("kernel_s", 0.0))
        if answer["status"] != "ran":
            racer.status, racer.reason = answer["status"], answer.get("reason", "")
            if answer.get("spoilt") or (plan.device == "cpu" and racer.status == "no memory"):
                # after an error of CUDA nothing in that process can be believed; a heap that was full stays in pieces
                self._child.close()
            return None
        return answer

    def _leave(self, racer: Racer) -> None:
        """The budget is over: what was not measured is nobody's fault."""
        if not racer.blocks:
            racer.status, racer.reason = LEFT_OUT, OVER
            self.left_out += 1

    def _foreseen(self, shape: Shape, direction: str) -> float:
        """Seconds that a group will take, by the rates of smaller ones: a few calls or blocks for each subject."""
        known = self._rates.get
        calls = (
            shape.flops(direction) / rate
            for subject in self._plan.subjects
            if (rate := known((subject, direction)) or known((subject, "forward")))
        )
        return sum(max(CALLS_AT_FIRST * call, ROUNDS * self._block_s) for call in calls)

    @property
    def late(self) -> bool:
        """Whether the budget is over."""
        return self._until is not None and time.monotonic() > self._until

    def fits(self, subject: str, shape: Shape, direction: str) -> tuple[bool | None, str]:
        """Whether a batch goes through, and what it failed with; None: there was no time to see. Raises NoAnswer."""
        if self.late:
            return None, OVER
        racer = Racer(subject)
        began = time.monotonic()
        self._ask(racer, shape, direction, {"do": "fits"})
        if racer.status == LEFT_OUT:
            return None, racer.reason
        if racer.runs and time.monotonic() - began > self._plan.call_s / 2:
            racer.status, racer.reason = "slow", f"a larger one would take more than {self._plan.call_s:g} s"
        return racer.runs, f"{racer.status}: {racer.reason}" if racer.status != "no memory" else racer.status


class Racer:
    """One subject on one shape, while it is measured."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.status, self.reason = MEASURED, ""
        self.blocks: list[list[float]] = []
        self.peak_bytes: int | None = None
        self.difference: float | None = None

    @property
    def runs(self) -> bool:
        return self.status == MEASURED

    def wants(self, rounds: int) -> bool:
        """Five rounds, and more of them while the readings lie far apart."""
        return rounds < ROUNDS - 1 or self.spread() > NOISY

    def spread(self) -> float:
        """How far the quartiles lie apart, as a share of the median."""
        low, middle, high = quartiles([one for block in self.blocks for one in block])
        return (high - low) / middle if middle else 0.0


def finished(racers: Sequence[Racer], shape: Shape, direction: str) -> Iterator[Timing]:
    """The rows of a group; the speed-up is over eager, where that was measured."""
    rows = [_row(racer, shape, direction) for racer in racers]
    base = next((row.ms for row in rows if row.subject == BASE and row.ms), None)
    for row in rows:
        yield replace(row, speedup=base / row.ms if base and row.ms else None)


def _row(racer: Racer, shape: Shape, direction: str) -> Timing:
    times = [one * 1e3 for block in racer.blocks for one in block]
    row = Timing(subject=racer.subject, shape=shape, direction=direction, status=racer.status, reason=racer.reason)
    if not racer.runs or not times:
        return row if not racer.runs else replace(row, status=LEFT_OUT, reason="interrupted")
    low, middle, high = quartiles(times)
    return replace(
        row,
        ms=middle,
        low_ms=low,
        high_ms=high,
        calls=len(times),
        noisy=racer.spread() > NOISY,
        tflops=shape.flops(direction) / middle / 1e9,
        peak_bytes=racer.peak_bytes,
        difference=racer.difference,
    )
