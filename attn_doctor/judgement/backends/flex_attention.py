"""flex_attention

`torch.nn.attention.flex_attention`, since torch 2.5: any mask or score change written as a Python function, compiled
by torch.compile into a fused kernel. On a GPU that takes Triton; without compilation it holds the whole score matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions, torch_choice
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends.eager import torch_runs, torch_version, where
from attn_doctor.judgement.backends.triton import compiler_chain
from attn_doctor.knowledge.attention import Demands, demands
from attn_doctor.knowledge.versions import numbers, public

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    row = demands("flex_attention")
    yield from torch_runs(machine, gpu)
    yield from conditions.new_enough(machine, row)
    yield from on_the_cpu(machine, row)
    yield from conditions.needs(need, row, gpu if machine.device == "cuda" else None, None)
    if machine.device == "mps":
        yield Obstacle("blocked", "not established on Apple GPUs; sdpa runs there")
    elif machine.device == "cuda" and gpu:
        yield from conditions.capable(gpu, row)
        yield from compiler_chain(machine)
    elif machine.device == "rocm":
        yield from compiler_chain(machine)
    elif machine.torch and machine.compiler is None and not machine.unknown("compiler"):
        yield from without_compiler(machine)


def without_compiler(machine: Machine) -> Iterator[Obstacle]:
    """On the CPU torch.compile writes C++; on a GPU that lies idle it would write Triton."""
    said = "torch.compile needs a C++ compiler on the CPU, and there is none"
    move = torch_choice.best(machine) if machine.nvidia and machine.os == "windows" else None
    if move:
        yield Obstacle("installable", f"{said}; {torch_choice.label(move)} would use the GPU")
    else:
        yield Obstacle("blocked", said)


def on_the_cpu(machine: Machine, row: Demands) -> Iterator[Obstacle]:
    """The CPU came one release after the GPU."""
    first = row.first_torch_cpu
    if first and machine.torch and machine.device == "cpu" and numbers(public(machine.torch.version)) < numbers(first):
        yield Obstacle("installable", f"needs torch {first} on the CPU; {machine.torch.version} is installed")


def remarks(machine: Machine, _gpu: Gpu | None, need: Need) -> tuple[str, ...]:
    place = where(machine)
    forward = "; forward only there" if machine.device == "cpu" and need.has("backward") else ""
    return (place + forward if place else "compiled on first use",)


BACKEND = Backend("flex_attention", "FlexAttention", obstacles, torch_version, remarks=remarks)
