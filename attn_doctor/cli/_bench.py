"""What a call of `attn-doctor bench` asks for, made whole from the machine it runs on; and its progress."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.cli import _target, options
from attn_doctor.errors import AttnDoctorError, UsageError

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.gather import Facts
    from attn_doctor.measure.benchmark import Benchmark
    from attn_doctor.measure.run import Train, Wish
    from attn_doctor.measure.shapes import Model, Shape

TRAINING = "model"  # the preset of the training step alone; the others are rows of a table
OWN = "own"
BUDGET = r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>s|sec|m|min|h)?"
UNITS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
LINE_EVERY_S = 60.0  # where progress goes to a log
LONGEST = 2048  # tokens, of a model that could take more


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the call, as given; None and empty where they were not."""

    names: tuple[str, ...]
    preset: str | None
    shapes: tuple[str, ...]
    model: str | None
    batch: int | None
    length: int | None
    dtype: str
    directions: tuple[str, ...]
    causal: bool | None
    largest: bool | None
    hints: bool


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The folder of the environment, and the device that `check` speaks of."""

    prefix: str
    device: str


def wished(asked: Asked, facts: Facts, device: str, budget_s: float | None, seed: int) -> tuple[Wish, Judged]:
    """What to measure, and what `check` judges there. Raises UsageError, BadInput, NoTorch, NoAnswer."""
    from attn_doctor.judgement import measured
    from attn_doctor.judgement.check import check
    from attn_doctor.judgement.need import parse
    from attn_doctor.judgement.view import Machine
    from attn_doctor.measure.run import Wish

    machine, report = Machine(facts), check(facts, parse([]))
    python, on = _target.measurable(machine, device)
    dtype = asked.dtype if asked.dtype != "auto" else _dtype(machine, on)
    preset = _preset(asked, on)
    shapes, directions = _grid(asked, preset, dtype)
    wish = Wish(
        python=python,
        preset=preset,
        subjects=subjects(asked.names, report, machine),
        shapes=shapes,
        directions=directions,
        device=on,
        seed=seed,
        date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        budget_s=budget_s,
        largest=asked.largest if asked.largest is not None else on == "cuda" and bool(shapes),
        packages=measured.software(machine),
        driver=machine.driver.version if machine.driver else None,
        memory_bytes=free_memory_bytes() if on == "cpu" else None,
        step=_train(asked, preset, on),
    )
    return wish, Judged(prefix=machine.python.prefix if machine.python else "", device=measured.device(machine))


def _dtype(machine: Machine, on: str) -> str:
    """What models are trained in there."""
    from attn_doctor.judgement.hint import all_reach

    if on == "cpu":
        return "fp32"
    return "bf16" if not machine.capabilities or all_reach(machine.capabilities, "bf16") else "fp16"


def _preset(asked: Asked, on: str) -> str:
    from attn_doctor.measure.shapes import presets

    if asked.shapes and asked.model:
        raise UsageError("--shape and --model: give one")
    one_number = next((name for name in ("batch", "length") if getattr(asked, name) is not None), None)
    if one_number and not asked.model and asked.preset != TRAINING and not asked.hints:
        raise UsageError(
            f"--{one_number} is for --model and the training step",
            "A shape of your own: --shape BATCHxLENGTHxHEADSxHEAD_DIM.",
        )
    if asked.causal is not None and not asked.shapes and not asked.model:
        raise UsageError(
            f"--{'' if asked.causal else 'no-'}causal is for --shape and --model", "The shapes of a preset are its own."
        )
    if asked.shapes or asked.model:
        if asked.preset is not None:
            raise UsageError(f"--preset {asked.preset} and {'--shape' if asked.shapes else '--model'}: give one")
        return OWN
    if asked.preset is None:
        return "documents" if on == "cuda" else "quick"
    return options.one_of("--preset", asked.preset, (*presets(), TRAINING))


def _grid(asked: Asked, preset: str, dtype: str) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    from attn_doctor.measure import shapes

    causal = asked.causal if asked.causal is not None else True
    directions = tuple(dict.fromkeys(asked.directions))
    if asked.shapes:
        found = [shapes.parse(text, causal, dtype) for text in asked.shapes]
        return tuple(dict.fromkeys(found)), directions or ("forward", "both")
    if asked.model is not None:
        return (_of_model(asked, shapes.model(asked.model), dtype),), directions or ("forward", "both")
    if preset == TRAINING:
        return (), ()
    chosen = shapes.presets()[preset]
    return tuple(chosen.shapes(dtype)), directions or chosen.directions


def _of_model(asked: Asked, model: Model, dtype: str) -> Shape:
    from attn_doctor.measure.shapes import Shape

    return Shape(
        batch=asked.batch or 1,
        length=asked.length or min(model.length or LONGEST, LONGEST),
        heads=model.heads,
        kv_heads=model.kv_heads,
        head_dim=model.head_dim,
        causal=asked.causal if asked.causal is not None else model.causal,
        dtype=dtype,
    )


def _train(asked: Asked, preset: str, on: str) -> Train | None:
    """The training step: where it is asked for, and on a GPU with the documents' grid."""
    from attn_doctor.measure.brought import SETTINGS
    from attn_doctor.measure.run import Train

    if preset != TRAINING and not asked.hints and not (preset == "documents" and on == "cuda"):
        return None
    return Train(
        batch=asked.batch if asked.model is None else None,
        length=asked.length if asked.model is None else None,
        dtype=None if asked.dtype == "auto" else asked.dtype,
        settings=SETTINGS if asked.hints else (),
    )


def subjects(names: Sequence[str], report: Report, machine: Machine) -> tuple[str, ...]:
    """The backends to measure: those that are ready, or the named ones, which have to be. Raises UsageError."""
    from attn_doctor.measure.verify import CALLED

    ready = [verdict.name for verdict in report.backends if verdict.status == "ready" and verdict.name in CALLED]
    asked = [_target.subject(name) for name in names]
    missing = next((name for name in asked if name.partition(".")[0] not in ready), None)
    if missing is not None:
        reasons = next((one.reasons for one in report.backends if one.name == missing and one.status != "ready"), ())
        torch = machine.torch.version if machine.torch else "none"
        why = next(iter(reasons), "it has no attention that can be called by itself")
        raise UsageError(
            f"{missing} cannot be measured beside torch {torch}: {why}", f"Ready here: {', '.join(ready)}."
        )
    return tuple(dict.fromkeys(asked)) or tuple(ready)


def seconds(text: str) -> float:
    """'60s', '5m', '90' in seconds. Raises UsageError."""
    found = re.fullmatch(BUDGET, text.strip().lower())
    value = float(found["number"]) * UNITS[found["unit"] or "s"] if found else 0.0
    if value <= 0:
        raise UsageError(f"--budget {text}: expected a time, for example 60s or 5m")
    return value


def earlier(file: str) -> Benchmark:
    """The document of an earlier run. Raises BadInput."""
    from attn_doctor.measure.compare import read

    return read(options.read_document(file), "standard input" if file == "-" else file)


def keep(one: Benchmark, judged: Judged) -> None:
    """The ranking in one small file for each environment, in attn-doctor's own folder, where `check` finds it.

    Of the device alone that `check` judges: a run on the CPU says nothing of the GPU beside it. A convenience: where
    there is no place for it, the benchmark itself stands.
    """
    from attn_doctor.execute import folders
    from attn_doctor.machine.probes.measured import FOLDER, file_name, parse
    from attn_doctor.measure import kept

    found = kept.digest(one, os.path.realpath(judged.prefix))
    if found is None or found.device != judged.device:
        return
    with suppress(OSError, AttnDoctorError):
        path = os.path.join(folders.made(FOLDER), file_name(found.prefix))
        earlier = None
        with suppress(OSError), open(path, encoding="utf-8") as file:
            earlier = parse(file.read())
        folders.write(f"{path}.new", msgspec.json.encode(kept.joined(found, earlier)))
        os.replace(f"{path}.new", path)


def free_memory_bytes() -> int | None:
    """What this process may still take, of the machine and of its control group; known on Linux alone."""
    if sys.platform != "linux":
        return None
    from attn_doctor.execute.supervise.room import look

    room = look(os.getpid())
    return room.left_bytes if room else None


class Progress:
    """A line that is written over on a terminal, one a minute in a log; with the time left once it can be told."""

    def __init__(self, budget_s: float | None) -> None:
        self._began = time.monotonic()
        self._budget_s = budget_s
        self._last = self._began
        self._terminal = sys.stderr is not None and sys.stderr.isatty()

    def tell(self, what: str, share: float) -> None:
        """What is being measured, and the share that is done."""
        now = time.monotonic()
        line = f"{share:>4.0%}{self._left(now, share)}  {what}"
        if self._terminal:
            with suppress(OSError):
                sys.stderr.write(f"\r{line[:78]}\x1b[K")
                sys.stderr.flush()
        elif now - self._last >= LINE_EVERY_S:
            self._last = now
            options.progress(line)

    def _left(self, now: float, share: float) -> str:
        spent = now - self._began
        if not 0.05 < share < 1 or spent < 3:  # noqa: PLR2004 - too early to tell
            return ""
        left = int(spent / share - spent)
        if self._budget_s is not None:
            left = max(0, min(left, int(self._budget_s - spent)))
        return f"  {left // 60}:{left % 60:02d} left"

    def clear(self) -> None:
        """Leave nothing of it on the terminal."""
        if self._terminal:
            with suppress(OSError):
                sys.stderr.write("\r\x1b[K")
                sys.stderr.flush()
