"""What a backend is worth where it is used: training steps of a GPT-2 124M, and what settings bring on this machine.

Backends are trained in turn, round after round, one model at a time. One that crashes, hangs or does not fit costs its
row: what does not fit is tried again with half the batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
from msgspec.structs import replace

from attn_doctor.errors import NoAnswer
from attn_doctor.knowledge import peak_rates
from attn_doctor.measure import device as devices
from attn_doctor.measure.benchmark import Parity, Peak, Step
from attn_doctor.measure.brought import FULL, SETTINGS, Brought, brought
from attn_doctor.measure.child import MEMORY, Child, Ended
from attn_doctor.measure.gpt2 import GPT2, Config
from attn_doctor.measure.steps import Racer, parities, step

__all__ = ["GPT2", "SETTINGS", "Brought", "Config", "Training", "brought", "train"]

SCRIPT = "training.py"
LOSSES = 20  # steps of the first round; the losses of all of them are kept
STEPS = 10  # of a later one
ROUNDS = 3
CALL_S = 600.0  # torch.compile takes minutes on a large model
LEAST_S = 300.0  # for it where time is short: three steps of a slow CPU
BATCH = {"cuda": 16, "cpu": 1}
LENGTH = {"cuda": 1024, "cpu": 256}
# backends that also take fp32
FULL_TOO = ("eager", "sdpa", "flex_attention", "xformers", "own")
Tell = Callable[[str, float], None]
"""What is being trained, and the share that is done."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to train. `own`: a file and a function, for the subject 'own'; `environment`: for the target's process."""

    device: str
    seed: int
    batch: int
    length: int
    config: Config
    dtype: str | None = None
    budget_s: float | None = None
    own: tuple[str, str] | None = None
    environment: dict[str, str] = {}
    call_s: float = CALL_S


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was trained. `kernel_s`: seconds inside steps; `left_out`: rows for which there was no time."""

    steps: tuple[Step, ...]
    parity: tuple[Parity, ...]
    peak: Peak | None = None
    kernel_s: float = 0.0
    left_out: int = 0
    interrupted: bool = False


def train(
    python: str,
    subjects: Sequence[str],
    *,
    device: str,
    seed: int,
    batch: int | None = None,
    length: int | None = None,
    config: Config = GPT2,
    dtype: str | None = None,
    budget_s: float | None = None,
    settings: Sequence[str] = (),
    tell: Tell = lambda _what, _share: None,
    own: tuple[str, str] | None = None,
    memory_bytes: int | None = None,
    environment: Mapping[str, str] | None = None,
    call_s: float = CALL_S,
) -> Training:
    """Train with every subject, then the fastest of them with each of the settings. Ctrl-C keeps what is done.

    `dtype`: None for what the device is good at; `memory_bytes`: what a run on a CPU may take. Raises NoAnswer where
    torch cannot be imported there, or sees no GPU.
    """
    length = length or LENGTH[device]
    asked = Asked(
        device=device,
        seed=seed,
        batch=batch or BATCH[device],
        length=length,
        config=replace(config, positions=max(config.positions, length)),
        dtype=dtype,
        budget_s=budget_s,
        own=own,
        environment={**(environment or {}), **({MEMORY: str(memory_bytes)} if memory_bytes else {})},
        call_s=call_s,
    )
    race, interrupted = Race(python, asked, tell), False
    try:
        race.start()
        race.run(subjects, settings)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        race.close()
    return race.found(interrupted=interrupted)


class Race:
    """The children, and what they have done so far."""

    def __init__(self, python: str, asked: Asked, tell: Tell) -> None:
        self._python, self._asked, self._tell = python, asked, tell
        self._children: dict[str, Child] = {}
        self._hello: dict[str, Any] = {}
        self._dtype = FULL
        self._began = time.monotonic()
        self._racers: list[Racer] = []
        self._planned, self._runs = 1, 0
        self._kernel_s = 0.0
        self._left_out = 0

    def start(self) -> None:
        """Ask the target what it has. Raises NoAnswer."""
        child, asked = self._child(""), self._asked
        child.start()
        self._hello = child.hello
        if asked.device == "cuda" and not child.hello.get("cuda"):
            raise NoAnswer(f"torch {child.hello.get('torch', '')} sees no GPU")
        self._dtype = asked.dtype or devices.usual(asked.device, self._hello)

    def close(self) -> None:
        """End the children and what they started."""
        for child in self._children.values():
            child.close()

    def run(self, subjects: Sequence[str], settings: Sequence[str]) -> None:
        """Every subject once, the settings with the fastest, then all of them again in other orders."""
        self._planned = len(subjects) + len(settings)
        for subject in subjects:
            self._first(Racer(subject, self._dtype, self._asked.batch))
        running = [racer for racer in self._racers if racer.runs]
        self._alike(running)
        running = [racer for racer in running if racer.runs]
        if running:
            for racer in self._varied(running, [one for one in SETTINGS if one in settings]):
                self._first(racer)
        for place in range(1, ROUNDS):
            running = [racer for racer in self._racers if racer.runs]
            for racer in running[:: 1 if place % 2 == 0 else -1]:
                self._again(racer, place)

    def found(self, *, interrupted: bool) -> Training:
        """The rows, as far as they go."""
        asked = self._asked
        rows = (step(one, asked.config, asked.length, self._peak(one.setting, one.dtype)) for one in self._racers)
        return Training(
            steps=tuple(rows),
            parity=tuple(parities(self._racers)),
            peak=self._peak("", self._dtype),
            kernel_s=self._kernel_s,
            left_out=self._left_out,
            interrupted=interrupted,
        )

    def _varied(self, running: Sequence[Racer], settings: Sequence[str]) -> Iterator[Racer]:
        """The fastest with each setting; where the usual step is a mixed one, a row in fp32 stands beside it."""
        best = max(running, key=lambda racer: racer.rate)
        wide = next((one for one in (best, *running) if one.subject in FULL_TOO), None)
        asked = self._asked
        tried = [one for one in settings if devices.can(one, asked.device, self._hello)]
        if wide and self._dtype != FULL and {"mixed_precision", "tf32"} & set(tried):
            yield Racer(wide.subject, FULL, wide.batch, FULL)
        for setting in tried:
            if setting == "tf32":
                yield from (Racer(one.subject, FULL, one.batch, setting) for one in (wide,) if one)
            elif setting != "mixed_precision":
                yield Racer(best.subject, best.dtype, best.batch, setting)
            elif self._dtype == FULL:
                half = devices.half(asked.device, self._hello) or FULL
                yield Racer(best.subject, half, best.batch, setting)

    # a run of steps

    def _first(self, racer: Racer) -> None:
        """From the beginning, for the losses; with half the batch as long as it does not fit."""
        measured = [one for one in self._racers if one.runs]
        if measured and self._late(max(one.beside_s + median(one.times_s) for one in measured)):
            self._left_out += 1
            return
        self._racers.append(racer)
        while True:
            self._say(racer)
            answer = self._ask(racer, racer.batch, LOSSES)
            if not _no_room(answer) or racer.batch == 1:
                break
            racer.too_large.append(racer.batch)
            racer.batch //= 2
            self._afresh(racer)
        if racer.too_large:
            self._afresh(racer)
        if answer["status"] == "cannot":
            self._racers.remove(racer)  # this machine has nothing to try it with
        elif answer["status"] == "ran":
            racer.keep({**answer, "losses": answer["losses"][:LOSSES]})
        else:
            racer.status = "no memory" if _no_room(answer) else answer["status"]
            racer.reason = answer.get("reason", "")

    def _afresh(self, racer: Racer) -> None:
        """On a CPU the heap is in pieces once memory has run out: what comes next would find less room."""
        if self._asked.device == "cpu":
            self._child(racer.setting).close()

    def _again(self, racer: Racer, place: int) -> None:
        """Another round, where there is time for it; one that fails now keeps what it had."""
        if self._late(racer.beside_s + STEPS * median(racer.times_s)):
            return
        self._say(racer)
        answer = self._ask(racer, racer.batch, STEPS)
        if answer["status"] == "ran":
            racer.times_s += answer["times_s"]
        else:
            racer.reason = ": ".join(filter(None, (f"round {place + 1} {answer['status']}", answer.get("reason"))))

    def _alike(self, running: Sequence[Racer]) -> None:
        """Losses are held against each other at the same batch: a larger one is run again at the smallest."""
        smallest = min((racer.batch for racer in running), default=0)
        for racer in running:
            if racer.batch != smallest and not self._late():
                answer = self._ask(racer, smallest, LOSSES)
                if answer["status"] == "ran":
                    racer.at_smallest = racer.numbers(answer["losses"][:LOSSES], smallest)

    def _ask(self, racer: Racer, batch: int, steps: int) -> dict[str, Any]:
        """The answer; of a child that ended, how it did."""
        asked, limit_s = self._asked, self._share_s()
        question = {
            "subject": racer.subject,
            "setting": racer.setting,
            "dtype": racer.dtype,
            "device": asked.device,
            "seed": asked.seed,
            "batch": batch,
            "length": asked.length,
            "config": msgspec.to_builtins(asked.config),
            "steps": steps,
            "limit_s": limit_s,
            "own": asked.own if racer.subject == "own" else None,
        }
        child = self._child(racer.setting)
        answer = child.ask(question, min(asked.call_s, max(LEAST_S, 6 * limit_s)))
        if isinstance(answer, Ended):
            return {"status": answer.status, "reason": answer.reason}
        self._kernel_s += float(answer.get("kernel_s", 0.0))
        if answer.get("spoilt"):
            child.close()  # after an error of CUDA nothing in that process can be believed
        return answer

    def _child(self, setting: str) -> Child:
        """One for everything, and one for what has to be said before torch starts."""
        name = setting if setting == "expandable_segments" else ""
        if name not in self._children:
            more = devices.segments(self._hello) if name else {}
            self._children[name] = Child(self._python, SCRIPT, {**self._asked.environment, **more})
        return self._children[name]

    # time

    def _late(self, needs_s: float = 0.0) -> bool:
        """Whether there is no time left, or not so much."""
        budget_s = self._asked.budget_s
        return budget_s is not None and time.monotonic() - self._began + needs_s > budget_s

    def _share_s(self) -> float:
        """What one run may take of the time that was given."""
        budget_s, call_s = self._asked.budget_s, self._asked.call_s
        return call_s / 2 if budget_s is None else budget_s / (2 * self._planned)

    def _say(self, racer: Racer) -> None:
        share = min(self._runs / (self._planned * ROUNDS), 0.99)
        self._runs += 1
        self._tell(f"training step, {racer.subject} {racer.setting or racer.dtype}", share)

    # what it comes to

    def _peak(self, setting: str, dtype: str) -> Peak | None:
        """The sourced rate of this device; None on a CPU, and for a GPU that the table does not know."""
        name, wanted = str(self._hello.get("name", "")), "tf32" if setting == "tf32" else dtype
        rate = peak_rates.peak(name, wanted) if self._asked.device == "cuda" and name else None
        if rate is None:
            return None
        return Peak(tflops=rate.tflops, dtype=wanted, gpu=rate.gpu, source=rate.source, as_of=rate.as_of)


def _no_room(answer: Mapping[str, Any]) -> bool:
    """No memory by the child's own words, or ended by the kernel, which does that where memory runs out."""
    killed = answer["status"] == "crashed" and answer.get("reason") == "ended by SIGKILL"
    return killed or answer["status"] == "no memory"
