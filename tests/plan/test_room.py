"""Room on disk: a certain lack is in the way, a likely one is said, and a place that could just do is left alone."""

from __future__ import annotations

import msgspec
import pytest

from attn_doctor.judgement import need as needs
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Known
from attn_doctor.machine.probes.disk import Disk, Place
from attn_doctor.plan import choose
from attn_doctor.plan.plan import Plan
from attn_doctor.plan.request import Request

GIB = 1 << 30
BUILD = ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.8.0+cu128", "nvcc=12.8", "ram=64GiB", "cores=16")
MOVE = ("gpu=NVIDIA A100-SXM4-40GB", "driver=580.65.06", "torch=2.8.0+cpu")


def plan(keys: tuple[str, ...], method: str, **free: int) -> Plan:
    """With so many GiB free in the places that are named, 100 in the others."""
    found = whatif.simulate([*keys])
    places = (Place(name, f"/{name}", free.get(name, 100) * GIB) for name in ("target", "temporary", "cache"))
    found = msgspec.structs.replace(found, readings={**found.readings, "disk": Known(Disk(tuple(places)), source="")})
    return choose.plan(found, "flash_attention_2", Request(method=method), needs.parse([]))


@pytest.mark.parametrize(("free", "possible"), [(0, False), (1, True), (100, True)])
def test_a_build(free: int, possible: bool) -> None:
    """For four architectures it writes about 2 GiB; what is written down as 1 GiB may be almost 2."""
    four = (*BUILD, "gpu=NVIDIA H100 80GB HBM3", "gpu=NVIDIA B200", "gpu=NVIDIA GeForce RTX 5090")
    one = plan(four, "source", temporary=free)
    assert one.possible is possible
    said = "/temporary has less than 1 GiB free, and the build takes more: make room there first"
    assert (said in one.obstacles) is not possible


@pytest.mark.parametrize(("free", "possible"), [(0, False), (1, False), (2, True), (100, True)])
def test_a_torch_with_its_libraries(free: int, possible: bool) -> None:
    one = plan(MOVE, "wheel", target=free)
    assert one.possible is possible
    assert any("/target has" in said for said in one.obstacles) is not possible
    assert any("takes about 4.4 GiB" in said for said in one.warnings) is (free == 2)


def test_what_brings_no_torch_is_left_alone() -> None:
    one = plan(BUILD, "wheel", target=0, temporary=0, cache=0)
    assert one.possible
    assert not any("free" in said for said in one.warnings)
