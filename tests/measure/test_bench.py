"""The bench with the real torch on a CPU: what it measures, and what becomes of a backend that misbehaves."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import pytest
from msgspec.structs import replace

from attn_doctor import schemas
from attn_doctor.errors import NoAnswer
from attn_doctor.measure import child
from attn_doctor.measure.bench import Bench, Plan
from attn_doctor.measure.largest import largest
from attn_doctor.measure.ranking import told
from attn_doctor.measure.run import Wish, run
from attn_doctor.measure.shapes import Shape
from attn_doctor.reporters import _benchmark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attn_doctor.measure.benchmark import Benchmark, Timing

PACKAGES = str(Path(__file__).parent / "packages")
CHILDREN = child.FOLDER
SMALL = Shape(batch=1, length=256, heads=4, kv_heads=4, head_dim=32, causal=False, dtype="fp32")
HUGE = replace(SMALL, length=1 << 19)
MIB = 1 << 20
ALL = ("forward", "backward", "both")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}

pytestmark = pytest.mark.xdist_group("bench")


def measured(python: str, *subjects: str, flash: str, **more: Any) -> Benchmark:
    """With a flash-attn that does what it is told."""
    usual: dict[str, Any] = {"shapes": (SMALL,), "directions": ("forward",), "block_s": 0.02}
    wish = Wish(
        python=python,
        preset="own",
        subjects=subjects,
        device="cpu",
        seed=5,
        date="2026-11-30T00:00:00Z",
        **{**usual, **more},
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ONE_THREAD, "PYTHONPATH": PACKAGES, "TEST_FLASH_ATTN": flash}.items():
            patch.setenv(name, value)
        return run(wish, lambda _what, _share: None)


def row(found: Benchmark, subject: str, direction: str = "forward", batch: int = 1) -> Timing:
    wanted = (subject, direction, batch)
    return next(one for one in found.timings if (one.subject, one.direction, one.shape.batch) == wanted)


@pytest.fixture(scope="module")
def whole(torch_python: str) -> Benchmark:
    subjects = ("flash_attention_2", "sdpa.math", "sdpa", "eager")
    return measured(torch_python, *subjects, flash="slow", shapes=(SMALL, HUGE), directions=ALL, budget_s=120.0)


def test_every_backend_in_every_direction(whole: Benchmark) -> None:
    assert len(whole.timings) == 12
    assert {one.status for one in whole.timings} == {"measured"}
    assert all(one.ms and one.low_ms <= one.ms <= one.high_ms for one in whole.timings)
    assert whole.torch.startswith("2.13.0")
    assert whole.device.kind == "cpu"
    assert whole.device.threads
    assert 0 < whole.kernel_s < whole.wall_s
    jsonschema.validate(json.loads(_benchmark.document(whole)), schemas.load("benchmark"))


def test_results_agree_between_backends(whole: Benchmark) -> None:
    for way in ALL:
        assert row(whole, "eager", way).difference is None, "what the others are held against, wherever it is named"
        assert all(0 < (row(whole, name, way).difference or 0) < 1e-5 for name in ("sdpa", "flash_attention_2"))


def test_memory_is_what_the_allocator_gave_out(whole: Benchmark) -> None:
    """Eager holds scores, weights and the result at once; the flash kernel holds no matrix of scores."""
    scores, result = SMALL.scores_bytes(), 4 * SMALL.length * SMALL.heads * SMALL.head_dim
    assert row(whole, "eager").peak_bytes == 2 * scores + result
    assert (row(whole, "sdpa").peak_bytes or 0) < scores


def test_the_rate_and_the_speed_up_follow_from_the_times(whole: Benchmark) -> None:
    eager, sdpa = row(whole, "eager", "both"), row(whole, "sdpa", "both")
    assert sdpa.speedup == pytest.approx((eager.ms or 0) / (sdpa.ms or 1))
    assert sdpa.tflops == pytest.approx(3.5 * 4 * 256**2 * 4 * 32 / (sdpa.ms or 1) / 1e9)


def test_the_slowness_of_one_shows(whole: Benchmark) -> None:
    assert (row(whole, "flash_attention_2").ms or 0) > 50
    assert _benchmark.answer(whole)[0].startswith("Fastest here, forward and backward: ")
    assert told(whole.timings)[1][-1].subject == "flash_attention_2"


def test_a_budget_leaves_out_what_does_not_fit_and_says_so(whole: Benchmark) -> None:
    assert {one.shape for one in whole.timings} == {SMALL}
    assert whole.left_out == 12
    assert "the budget left out 12" in " ".join(_benchmark.text(whole).split())


ASKED = """
import json, sys
sys.path.insert(0, sys.argv[1])
import torch
import attn_doctor_calls as calls
from torch._functorch import config
from torch.utils.flop_counter import sdpa_flop_count, sdpa_backward_flop_count

counts = [(sdpa_flop_count(q, k, v), sdpa_backward_flop_count(q, q, k, v)) for q, k, v in json.loads(sys.argv[2])]
before = config.donated_buffer
calls.compiled_flex(len)
print(json.dumps([counts, [before, config.donated_buffer]]))
"""
COUNTED = (
    SMALL,
    Shape(batch=3, length=1000, heads=7, kv_heads=7, head_dim=96, causal=False, dtype="bf16"),
    Shape(batch=32, length=512, heads=16, kv_heads=16, head_dim=128, causal=False, dtype="fp16"),
)


@pytest.fixture(scope="module")
def asked(torch_python: str) -> Any:
    """What torch says: operations forward and backward, and whether what is compiled gives its buffers away."""
    sizes = [[[one.batch, one.heads, one.length, one.head_dim]] * 3 for one in COUNTED]
    command = [torch_python, "-c", ASKED, CHILDREN, json.dumps(sizes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **ONE_THREAD})
    return json.loads(done.stdout)


def test_operations_are_counted_as_torch_counts_them(asked: Any) -> None:
    assert asked[0] == [[one.flops("forward"), one.flops("backward")] for one in COUNTED]
    assert all(one.flops("both") == sum(pair) for one, pair in zip(COUNTED, asked[0], strict=True))


def test_what_is_compiled_goes_backward_again_and_again(asked: Any) -> None:
    """A reading is one backward pass of a graph that is kept; torch gives its buffers away otherwise."""
    assert asked[1] == [True, False]


@pytest.fixture(scope="module")
def bad(torch_python: str) -> Benchmark:
    """A flash-attn that is bad in another way at each batch."""
    shapes = tuple(replace(SMALL, batch=batch) for batch in range(1, 6))
    subjects = ("flash_attention_2", "sdpa", "sdpa.math")
    return measured(torch_python, *subjects, flash="refuse,nan,wrong,crash,hang", shapes=shapes, call_s=3.0)


@pytest.mark.parametrize(
    ("batch", "status", "reason"),
    [
        (1, "refused", "only support fp16"),
        (2, "failed", "NaN"),
        (3, "measured", ""),
        (4, "crashed", "ended by SIGABRT"),
        (5, "hung", "no answer"),
    ],
    ids=["refused", "no number", "wrong", "crashed", "hung"],
)
def test_a_backend_that_misbehaves_costs_its_row(bad: Benchmark, batch: int, status: str, reason: str) -> None:
    flash = row(bad, "flash_attention_2", batch=batch)
    assert flash.status == status
    assert reason in flash.reason
    assert row(bad, "sdpa", batch=batch).status == "measured"
    if status != "measured":
        assert f"flash_attention_2, {status}" in _benchmark.text(bad)


def test_what_others_are_held_against_outlives_a_failure(bad: Benchmark) -> None:
    """Refused, or ended with its process: whoever comes after it is held against the same result."""
    for batch in range(1, 6):
        assert row(bad, "sdpa", batch=batch).difference is None
        assert 0 < (row(bad, "sdpa.math", batch=batch).difference or 0) < 1e-5


def test_a_wrong_result_does_not_win(bad: Benchmark) -> None:
    assert (row(bad, "flash_attention_2", batch=3).difference or 0) > 0.5
    assert [rank.subject for rank in told(bad.timings)[1]] == ["sdpa"]
    text = " ".join(_benchmark.text(bad).split())
    assert "flash_attention_2 gives another result than eager or sdpa" in text
    assert "attn-doctor verify flash_attention_2 says more" in text


@pytest.fixture
def limited(torch_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """What takes more memory than there is."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    plan = Plan(
        subjects=("eager", "sdpa"),
        shapes=(replace(SMALL, batch=2, length=2048),),
        directions=("forward",),
        device="cpu",
        seed=1,
        memory_bytes=200 * MIB,
        block_s=0.02,
    )
    bench = Bench(torch_python, plan)
    yield bench
    bench.close()


@pytest.mark.skipif(sys.platform != "linux", reason="no limit is given")
def test_what_takes_more_memory_than_there_is_says_so_and_the_rest_goes_on(limited: Bench) -> None:
    limited.start()
    limited.run(lambda _what, _share: None, 0.0)
    assert [one.status for one in limited.timings] == ["no memory", "measured"]
    found = largest("eager", replace(SMALL, length=1024), lambda one: limited.fits("eager", one, "both"))
    assert found.stopped == "no memory"
    assert found.batch >= 1


def test_nothing_is_begun_once_the_budget_is_over() -> None:
    """No child is started: the interpreter is none."""
    plan = Plan(
        subjects=("sdpa",), shapes=(SMALL,), directions=("forward",), device="cpu", seed=1, budget_s=5, call_s=1
    )
    bench = Bench("/nothing/here", plan)
    bench.run(lambda _what, _share: None, time.monotonic() - 60)
    assert (bench.left_out, bench.late) == (1, True)
    assert bench.fits("sdpa", SMALL, "both") == (None, "the budget was over")


def test_no_gpu_is_said(torch_python: str) -> None:
    plan = Plan(subjects=("sdpa",), shapes=(SMALL,), directions=("forward",), device="cuda", seed=1)
    bench = Bench(torch_python, plan)
    with pytest.raises(NoAnswer, match="sees no GPU"):
        bench.start()
    bench.close()


WITHOUT_PROC = """
import sys
sys.path.insert(0, sys.argv[1])
import attn_doctor_answers as answers
answers.STATUS = sys.argv[2]
answers.limit()
"""


@pytest.mark.parametrize("status", ["/nothing/here", os.devnull], ids=["no file", "an empty one"])
def test_where_memory_cannot_be_limited_it_is_not(status: str) -> None:
    """As on macOS."""
    command = [sys.executable, "-c", WITHOUT_PROC, CHILDREN, status]
    done = subprocess.run(
        command, env={**os.environ, child.MEMORY: "1"}, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_end_to_end(torch_python: str, cli: Any, tmp_path: Path, whole: Benchmark) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path), **ONE_THREAD}
    slow = [replace(one, ms=(one.ms or 0) * 50, low_ms=0, high_ms=0) for one in whole.timings]
    (tmp_path / "slow.json").write_text(_benchmark.document(replace(whole, timings=tuple(slow))))
    shape = ("--shape", "1x256x4x32", "--no-causal", "--direction", "both", "--python", torch_python, "--seed", 7)
    ran = cli("bench", "eager", "sdpa", *shape, "--against", tmp_path / "slow.json", env=state)
    assert ran.code == 0, ran.err
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "2 changed beyond noise, 0 did not" in ran.out
    assert "times faster" in ran.out
    (kept,) = (tmp_path / "attn-doctor/measured").iterdir()
    assert {place["backend"] for place in json.loads(kept.read_text())["places"]} == {"eager", "sdpa"}
    assert "sdpa" in cli("check", "--python", torch_python, env=state).out


def test_an_interrupt_keeps_what_is_done(torch_python: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "attn_doctor", "bench", "sdpa", "--python", torch_python, "--format", "json"]
    command += ["--shape", "1x256x4x32", "--shape", "4x8192x16x64", "--direction", "forward"]
    ours, theirs = pty.openpty()  # on a terminal it says what it is at
    environment = {**os.environ, **ONE_THREAD, "XDG_STATE_HOME": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        said = b""
        while b"4x8192" not in said:
            said += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    os.close(ours)
    assert process.returncode == 130, said
    document = msgspec.json.decode(out)
    jsonschema.validate(document, schemas.load("benchmark"))
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
        (
            ("--shape", "1x64x1x8", "--causal", "--no-causal"),
            "--causal and --no-causal contradict each other: give one",
        ),
        (
            ("--no-causal", "--shape", "1x64x1x8", "--causal"),
            "--causal and --no-causal contradict each other: give one",
        ),
        (("--keep", "--no-keep"), "--keep and --no-keep contradict each other"),
        (("--no-largest-batch", "--largest-batch"), "--largest-batch and --no-largest-batch contradict each other"),
        (("--preset", "quick", "--no-causal"), "--no-causal is for --shape and --model"),
        (("--causal",), "--causal is for --shape and --model"),
    ],
)
def test_a_call_that_is_wrong(torch_python: str, cli: Any, arguments: tuple[str, ...], said: str) -> None:
    ran = cli("bench", *arguments, "--python", torch_python)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())
