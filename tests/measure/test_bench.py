"""The bench with the real torch on a CPU: what it measures, and what becomes of a backend that misbehaves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import pytest

from attn_doctor import schemas
from attn_doctor.errors import NoAnswer
from attn_doctor.measure.bench import Bench, Plan
from attn_doctor.measure.largest import largest
from attn_doctor.measure.run import Wish, run
from attn_doctor.measure.shapes import Shape
from attn_doctor.reporters import _benchmark

if TYPE_CHECKING:
    from attn_doctor.measure.benchmark import Benchmark, Timing

PACKAGES = str(Path(__file__).parent / "packages")
SMALL = Shape(batch=1, length=256, heads=4, kv_heads=4, head_dim=32, causal=False, dtype="fp32")
MIB = 1 << 20

pytestmark = pytest.mark.xdist_group("bench")


def measured(python: str, *subjects: str, shape: Shape = SMALL, **more: Any) -> Benchmark:
    wish = Wish(
        python=python,
        preset="own",
        subjects=subjects,
        shapes=(shape,),
        directions=more.pop("directions", ("forward",)),
        device="cpu",
        seed=5,
        date="2026-11-30T00:00:00Z",
        **more,
    )
    return run(wish, lambda _what, _share: None)


def row(found: Benchmark, subject: str, direction: str = "forward") -> Timing:
    return next(one for one in found.timings if (one.subject, one.direction) == (subject, direction))


@pytest.fixture(scope="module")
def whole(torch_python: str) -> Benchmark:
    return measured(torch_python, "eager", "sdpa", "sdpa.math", directions=("forward", "backward", "both"))


def test_every_backend_in_every_direction(whole: Benchmark) -> None:
    assert len(whole.timings) == 9
    assert {one.status for one in whole.timings} == {"measured"}
    assert all(one.ms and one.low_ms <= one.ms <= one.high_ms for one in whole.timings)
    assert whole.torch.startswith("2.13.0")
    assert whole.device.kind == "cpu"
    assert whole.device.threads


def test_results_agree_between_backends(whole: Benchmark) -> None:
    assert row(whole, "eager").difference is None, "the first is what the others are held against"
    assert all(0 < (row(whole, "sdpa", way).difference or 0) < 1e-5 for way in ("forward", "backward", "both"))


def test_memory_is_what_the_allocator_gave_out(whole: Benchmark) -> None:
    """Eager holds scores, weights and the result at once; the flash kernel holds no matrix of scores."""
    scores, result = SMALL.scores_bytes(), 4 * SMALL.length * SMALL.heads * SMALL.head_dim
    assert row(whole, "eager").peak_bytes == 2 * scores + result
    assert (row(whole, "sdpa").peak_bytes or 0) < scores


def test_the_rate_and_the_speed_up_follow_from_the_times(whole: Benchmark) -> None:
    eager, sdpa = row(whole, "eager", "both"), row(whole, "sdpa", "both")
    assert sdpa.speedup == pytest.approx((eager.ms or 0) / (sdpa.ms or 1))
    assert sdpa.tflops == pytest.approx(3.5 * 4 * 256**2 * 4 * 32 / (sdpa.ms or 1) / 1e9)


COUNTED = """
import json, sys
from torch.utils.flop_counter import sdpa_flop_count, sdpa_backward_flop_count
for line in sys.stdin:
    q, k, v = json.loads(line)
    print(sdpa_flop_count(q, k, v), sdpa_backward_flop_count(q, q, k, v))
"""


def test_operations_are_counted_as_torch_counts_them(torch_python: str) -> None:
    shapes = [
        SMALL,
        Shape(batch=3, length=1000, heads=7, kv_heads=7, head_dim=96, causal=False, dtype="bf16"),
        Shape(batch=32, length=512, heads=16, kv_heads=16, head_dim=128, causal=False, dtype="fp16"),
    ]
    sizes = [[[one.batch, one.heads, one.length, one.head_dim]] * 3 for one in shapes]
    asked = "\n".join(str(size) for size in sizes)
    said = subprocess.run([torch_python, "-c", COUNTED], input=asked, capture_output=True, text=True, check=True)
    counted = [tuple(map(int, line.split())) for line in said.stdout.splitlines()]
    assert counted == [(one.flops("forward"), one.flops("backward")) for one in shapes]
    assert all(one.flops("both") == sum(pair) for one, pair in zip(shapes, counted, strict=True))


@pytest.fixture
def flash(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A flash-attn that does what it is told."""
    monkeypatch.setenv("PYTHONPATH", PACKAGES)

    def told(how: str) -> None:
        monkeypatch.setenv("TEST_FLASH_ATTN", how)

    return told


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("crash", "crashed", "ended by SIGABRT"),
        ("refuse", "refused", "only support fp16"),
        ("hang", "hung", "no answer"),
    ],
)
def test_a_backend_that_misbehaves_costs_its_row(
    torch_python: str, flash: Any, how: str, status: str, reason: str
) -> None:
    flash(how)
    found = measured(torch_python, "flash_attention_2", "sdpa", call_s=8 if how == "hang" else 60)
    bad = row(found, "flash_attention_2")
    assert bad.status == status
    assert reason in bad.reason
    assert row(found, "sdpa").status == "measured"
    assert f"flash_attention_2, {status}" in _benchmark.text(found)


def test_a_backend_gets_its_own_layout_and_its_slowness_shows(torch_python: str, flash: Any) -> None:
    flash("slow")
    found = measured(torch_python, "sdpa", "flash_attention_2")
    assert (row(found, "flash_attention_2").ms or 0) > 50
    difference = row(found, "flash_attention_2").difference
    assert difference is not None
    assert difference < 1e-5
    assert "Fastest here, forward: sdpa" in _benchmark.text(found)


def test_what_takes_more_memory_than_there_is_says_so_and_the_rest_goes_on(torch_python: str) -> None:
    shape = Shape(batch=2, length=2048, heads=8, kv_heads=8, head_dim=32, causal=False, dtype="fp32")
    plan = Plan(
        subjects=("eager", "sdpa"),
        shapes=(shape,),
        directions=("forward",),
        device="cpu",
        seed=1,
        memory_bytes=400 * MIB,
    )
    bench = Bench(torch_python, plan)
    try:
        bench.start()
        bench.run(lambda _what, _share: None, 0.0)
        assert [one.status for one in bench.timings] == ["no memory", "measured"]
        found = largest(
            "eager", msgspec.structs.replace(shape, length=512), lambda one: bench.fits("eager", one, "both")
        )
        assert found.stopped == "no memory"
        assert found.batch >= 1
        assert bench.fits("eager", msgspec.structs.replace(shape, length=512, batch=found.batch), "both")[0]
        assert not bench.fits("eager", msgspec.structs.replace(shape, length=512, batch=2 * found.batch), "both")[0]
    finally:
        bench.close()


def test_a_budget_leaves_out_what_does_not_fit_and_says_so(torch_python: str) -> None:
    shapes = (SMALL, msgspec.structs.replace(SMALL, length=65536))
    wish = Wish(
        python=torch_python,
        preset="own",
        subjects=("eager",),
        shapes=shapes,
        directions=("forward",),
        device="cpu",
        seed=5,
        date="2026-11-30T00:00:00Z",
        budget_s=20,
    )
    found = run(wish, lambda _what, _share: None)
    assert row(found, "eager").status == "measured"
    assert found.left_out == 1
    assert "the budget left out 1" in _benchmark.text(found)


def test_no_gpu_is_said(torch_python: str) -> None:
    plan = Plan(subjects=("sdpa",), shapes=(SMALL,), directions=("forward",), device="cuda", seed=1)
    bench = Bench(torch_python, plan)
    with pytest.raises(NoAnswer, match="sees no GPU"):
        bench.start()
    bench.close()


def test_the_command_end_to_end(torch_python: str, cli: Any, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path)}
    shape = ("--shape", "1x512x4x32", "--python", torch_python, "--seed", 7)
    first = cli("bench", "eager", "sdpa", *shape, "--format", "json", env=state)
    assert first.code == 0, first.err
    document = first.json()
    jsonschema.validate(document, schemas.load("benchmark"))
    assert {one["subject"] for one in document["timings"]} == {"eager", "sdpa"}
    (tmp_path / "old.json").write_text(first.out)
    slow = {
        **document,
        "timings": [{**one, "ms": one["ms"] * 50, "low_ms": 0, "high_ms": 0} for one in document["timings"]],
    }
    (tmp_path / "slow.json").write_bytes(msgspec.json.encode(slow))
    second = cli("bench", "sdpa", *shape, "--against", tmp_path / "slow.json", env=state)
    assert second.code == 0, second.err
    assert max(map(len, second.out.splitlines())) <= 80
    assert "2 changed beyond noise, 0 did not" in second.out
    assert re.search(r"times faster", second.out)
    said = cli("check", "--python", torch_python, env=state)
    assert "measured here on" in said.out
    assert "Use sdpa" in said.out


def test_an_interrupt_keeps_what_is_done(torch_python: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "attn_doctor", "bench", "sdpa", "--python", torch_python, "--format", "json"]
    command += ["--shape", "1x256x4x32", "--shape", "4x8192x16x64", "--direction", "forward"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    )
    time.sleep(12)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    document = msgspec.json.decode(out)
    assert document["interrupted"]
    assert document["timings"][0]["status"] == "measured"
    assert not (tmp_path / "attn-doctor/measured").exists(), "half a run is not what check should build on"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--shape", "4x2048"), "expected BATCHxLENGTHxHEADSxHEAD_DIM"),
        (("--shape", "1x128x8x64x3"), "8 heads cannot share 3"),
        (("--preset", "everything"), "expected documents or flash-attention or quick or model"),
        (("--budget", "soon"), "expected a time"),
        (("--dtype", "fp8"), "expected auto or bf16"),
        (("--batch", "0"), "expected 1 or more"),
        (("--format", "png"), "a picture needs a place"),
        (("--preset", "quick", "--shape", "1x1x1x1"), "give one"),
        (("--model", "/nothing/here"), "cannot read"),
        (("flash_attention_2",), "cannot be measured beside torch"),
        (("sdpa.fast",), "expected a backend, or one kernel of sdpa"),
        (("--against", "/nothing/here"), "cannot read"),
    ],
)
def test_a_call_that_is_wrong(torch_python: str, cli: Any, arguments: tuple[str, ...], said: str) -> None:
    ran = cli("bench", *arguments, "--python", torch_python)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())
