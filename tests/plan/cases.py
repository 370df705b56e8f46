"""Plans for imagined machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attn_doctor.judgement import need as needs
from attn_doctor.judgement.wheel_query import Asked
from attn_doctor.machine import whatif
from attn_doctor.plan import choose
from attn_doctor.plan.plan import Plan
from attn_doctor.plan.request import Request

FOLDER = Path(__file__).parent.parent / "machines"
MACHINES: dict[str, Any] = {
    file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))
}
LAPTOP = ("gpu=NVIDIA GeForce RTX 3050", "vram=4GiB", "driver=555.99", "torch=2.7.1+cu118")  # seeds/000
A100 = ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.8.0+cu128")
NO_WHEEL = ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.12.0a0+1234567.nv26.05", "torch_cuda=13.0", "ram=64GiB", "cores=16")


def plan(backend: str | None, *keys: str, need: tuple[str, ...] = (), **asked: Any) -> Plan:
    """Of a machine that `simulate` makes. `asked`: method, max_jobs, version, sources, trust, pre."""
    own = {name: asked.pop(name) for name in ("method", "max_jobs") if name in asked}
    request = Request(asked=Asked(**asked), needs=need, **own)
    return choose.plan(whatif.simulate([*keys]), backend, request, needs.parse([*need]))


def commands(one: Plan) -> list[str]:
    return [" ".join(step.command) for step in one.steps]


def kinds(one: Plan) -> list[str]:
    return [step.kind for step in one.steps]


def other(one: Plan, method: str) -> Plan:
    """The first of the other ways by that method."""
    return next(way for way in one.alternatives if way.method == method)
