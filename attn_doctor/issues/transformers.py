"""huggingface/transformers: the lines of `transformers env`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attn_doctor.issues import _environment, _text
from attn_doctor.issues._project import Line, Project

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.judgement.view import Machine

SECOND = "attn-doctor check"


def lines(machine: Machine, report: Report) -> Iterator[Line]:
    yield Line("`transformers` version", _version(machine, "transformers"))
    yield Line("Platform", _environment.platform(machine))
    yield Line("Python version", machine.python.version if machine.python else _environment.python(machine))
    yield Line("Huggingface_hub version", _version(machine, "huggingface-hub"))
    yield Line("Safetensors version", _version(machine, "safetensors"))
    yield Line("Accelerate version", _version(machine, "accelerate"))
    yield Line("Accelerate config", "not read")
    yield Line("DeepSpeed version", _version(machine, "deepspeed"))
    device = {"cuda": "CUDA", "rocm": "ROCm", "mps": "MPS", "cpu": "NA"}[machine.device]
    yield Line("PyTorch version (accelerator?)", f"{_environment.torch(machine)} ({device})")
    yield Line("Using distributed or parallel set-up in script?", "<fill in>")
    if machine.device in ("cuda", "rocm"):
        yield Line("Using GPU in script?", "<fill in>")
        yield Line("GPU type", ", ".join(dict.fromkeys(gpu.name for gpu in machine.gpus)))
    yield Line(SECOND, "")
    for one in _environment.packages(machine):
        yield Line("[pip]", one)
    yield from _environment.judged(report)


def _version(machine: Machine, name: str) -> str:
    found = machine.packages.get(name)
    return found.version if found else _environment.unknown_or(machine, "packages", "not installed")


def render(found: Sequence[Line]) -> str:
    at = next(number for number, line in enumerate(found) if line.name == SECOND)
    listed = "".join(f"- {line.name}: {line.value}\n" for line in found[:at])
    return f"{listed}\n" + _text.in_two(found[at + 1 :], "Packages and backends, by attn-doctor")


PROJECT = Project("transformers", lines, render)
