"""Training steps with the real torch on the CPU: a tiny model, so that each test takes seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from attn_doctor.measure import device as devices
from attn_doctor.measure import training
from attn_doctor.measure.benchmark import Step
from attn_doctor.measure.training import GPT2, Config, Training, brought, train

WRONG = str(Path(__file__).parent / "wrong_kernels.py")
CHILDREN = Path(train.__code__.co_filename).parent / "children"
TINY = Config(name="tiny", layers=2, heads=4, width=64, vocabulary=500, padded_vocabulary=512, positions=64)
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
# one compiler at a time, which needs no processes of its own
CHEAPLY = {**ONE_THREAD, "TORCHINDUCTOR_COMPILE_THREADS": "1"}


def trained(python: str, subjects: list[str], own: str | None = None, **options: Any) -> Training:
    usual: dict[str, Any] = {"device": "cpu", "seed": 3, "batch": 4, "length": 64, "config": TINY}
    usual |= {"environment": ONE_THREAD, "own": (WRONG, own) if own else None}
    return train(python, subjects, **{**usual, **options})


def rows(found: Training) -> dict[tuple[str, str], Step]:
    return {(one.subject, one.setting): one for one in found.steps}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One round of few steps; whole rounds are seen in `healthy`, which is made before this."""
    monkeypatch.setattr(training, "ROUNDS", 1)
    monkeypatch.setattr(training, "LOSSES", 5)


@pytest.fixture(scope="module")
def healthy(torch_python: str) -> Training:
    """Two that are right and one whose mask is shifted by one."""
    return trained(torch_python, ["eager", "sdpa", "own"], "shifted_mask")


def test_every_backend_is_measured(healthy: Training) -> None:
    assert [(one.subject, one.status, one.reason) for one in healthy.steps] == [
        ("eager", "measured", ""),
        ("sdpa", "measured", ""),
        ("own", "measured", ""),
    ]
    for one in healthy.steps:
        assert one.ms is not None
        assert (one.low_ms or 0) <= one.ms <= (one.high_ms or 0)
        assert one.steps == 18 + 20 + 2  # of the first round less the warm-up, and of two more
        assert one.tokens_per_s == pytest.approx(4 * 64 / one.ms * 1000)
        assert one.samples_per_s == pytest.approx(4 / one.ms * 1000)
        assert one.flops_per_step == TINY.flops(4, 64)
        assert one.mfu is None, "no rate of a CPU is in the table"
        assert (one.model, one.dtype, one.batch, one.length) == ("tiny", "fp32", 4, 64)
    assert healthy.peak is None
    assert healthy.kernel_s > 0
    assert not healthy.interrupted


def test_losses_fall_from_that_of_guessing(healthy: Training) -> None:
    for one in healthy.steps:
        assert len(one.losses) == 20
        assert one.losses[0] == pytest.approx(6.2, abs=0.5)  # ln 500
        assert mean(one.losses[-5:]) < mean(one.losses[:5]) - 0.2


def test_parity_tells_a_wrong_backend_from_a_right_one(healthy: Training) -> None:
    sdpa, wrong = healthy.parity
    assert (sdpa.subject, sdpa.against, sdpa.steps) == ("sdpa", "eager", 20)
    assert sdpa.largest < 1e-5
    assert wrong.subject == "own"
    assert wrong.largest > 100 * 1e-5


def test_memory_holds_weights_gradients_and_optimizer(healthy: Training) -> None:
    eager, sdpa = rows(healthy)["eager", ""], rows(healthy)["sdpa", ""]
    parameters = 12 * 2 * 64**2 + 512 * 64
    assert eager.peak_bytes is not None
    assert sdpa.peak_bytes is not None
    assert eager.peak_bytes > sdpa.peak_bytes > 4 * 4 * parameters  # weights, gradients, two states
    assert eager.peak_bytes < 16 << 20


COUNTING = """
import json, sys
sys.path.insert(0, sys.argv[1])
import torch, training
from torch.utils.flop_counter import FlopCounterMode
question = json.loads(sys.argv[2])
for subject in ("eager", "sdpa.math", "sdpa"):
    trainer = training.Trainer({**question, "subject": subject})
    with FlopCounterMode(display=False) as counter:
        trainer.step(training.drawn(question, 0))
    print(counter.get_total_flops())
"""


def test_the_formula_is_what_torch_counts(torch_python: str) -> None:
    """To the last one. Of the flash kernel of a CPU torch's counter knows nothing: there the attention is missing."""
    question = {"setting": "", "dtype": "fp32", "device": "cpu", "seed": 1, "batch": 2, "length": 32}
    question["config"] = {name: getattr(TINY, name) for name in TINY.__struct_fields__}
    command = [torch_python, "-c", COUNTING, str(CHILDREN), json.dumps(question)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    eager, math, flash = map(float, done.stdout.split())
    assert eager == math == TINY.flops(2, 32)
    assert flash == TINY.flops(2, 32) - 2 * 32 * 12 * TINY.layers * TINY.width * 32


def test_a_gpt2_takes_what_papers_say() -> None:
    """6·N for each token with N of 124 million, and a tenth of it for attention over 1024 tokens."""
    for_each_token = GPT2.flops(1, 1024) / 1024
    assert for_each_token == pytest.approx(6 * 124e6 + 12 * 12 * 768 * 1024, rel=0.005)


ONE_AFTER_ANOTHER = """
import os, time
from pathlib import Path

left = Path(__file__).with_name("left")
how, _, rest = left.read_text().partition(" ")  # once for every model that is made
left.write_text(rest)

def kernel(q, k, v, *, causal, mask):
    if how == "crash":
        os.abort()
    if how == "hang":
        time.sleep(3600)
    return v * float("nan")
"""


@pytest.fixture(scope="module")
def bad(torch_python: str, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """A kernel that is bad in another way each time, between two that are right and one that refuses."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "kernel.py").write_text(ONE_AFTER_ANOTHER)
    (folder / "left").write_text("crash hang nan")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "ROUNDS", 1)
        patch.setattr(training, "LOSSES", 5)
        patch.setattr(training, "LEAST_S", 3.0)
        usual: dict[str, Any] = {"device": "cpu", "seed": 3, "batch": 4, "length": 64, "config": TINY, "call_s": 12}
        return train(
            torch_python,
            ["own", "own", "flex_attention", "own", "sdpa"],
            environment=ONE_THREAD,
            own=(str(folder / "kernel.py"), "kernel"),
            budget_s=5.0,
            **usual,
        )


@pytest.mark.parametrize(
    ("place", "status", "reason"),
    [
        (0, "crashed", "ended by SIGABRT"),
        (1, "hung", "no answer in 3 s"),
        (2, "refused", "FlexAttention has no backward pass on a CPU"),
        (3, "failed", "the loss of step 1 is no number"),
        (4, "measured", ""),
    ],
)
def test_what_goes_wrong_costs_its_row(bad: Training, place: int, status: str, reason: str) -> None:
    assert (bad.steps[place].status, bad.steps[place].reason) == (status, reason)
    assert bool(bad.steps[place].ms) is (status == "measured")
    assert bad.steps[place].mfu is None
    assert bad.parity == ()


ONLY_LARGE = """
import torch.nn.functional as F

def kernel(q, k, v, *, causal, mask):
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal) if q.shape[0] == 8 else v * float("nan")
"""


def test_what_does_not_fit_is_tried_with_half_the_batch(torch_python: str, tmp_path: Path) -> None:
    """A limit of the kernel on the child's data, as on a machine with that much memory.

    Losses are held against each other at the batch that all take: who has none there failed, and the document says so.
    """
    (tmp_path / "own.py").write_text(ONLY_LARGE)
    own = (str(tmp_path / "own.py"), "kernel")
    found = train(
        *(torch_python, ["eager", "sdpa", "own"]),
        device="cpu", seed=3, batch=8, length=512, config=TINY, environment=ONE_THREAD, own=own,
        memory_bytes=230 << 20, call_s=40,
    )  # fmt: skip
    eager, sdpa, only_large = found.steps
    assert eager.status == sdpa.status == "measured"
    assert eager.batch < sdpa.batch == 8, "eager attention holds the scores"
    assert eager.reason.startswith("batch 8")
    assert eager.reason.endswith("did not fit")
    assert eager.ms is not None
    assert eager.samples_per_s == pytest.approx(eager.batch / eager.ms * 1000)
    assert found.parity[0].subject == "sdpa"  # at the batch that both take
    assert found.parity[0].steps >= 3
    assert found.parity[0].largest < 1e-5
    assert only_large.status == "failed"
    assert only_large.reason == f"the loss of step 1 at batch {eager.batch} is no number"
    assert "null" not in json.dumps(msgspec.to_builtins(found.parity))


def test_where_nothing_fits_that_is_said(torch_python: str) -> None:
    found = trained(torch_python, ["eager"], batch=2, length=1024, memory_bytes=100 << 20)
    (row,) = found.steps
    assert (row.status, row.batch) == ("no memory", 1)
    assert "memory" in row.reason or "Resource" in row.reason


def test_settings_are_tried_with_the_fastest(torch_python: str, healthy: Training) -> None:
    wanted = ["tf32", "expandable_segments", "gradient_checkpointing", "mixed_precision"]
    found = trained(torch_python, ["eager"], settings=wanted)
    assert [(one.setting, one.dtype, one.status) for one in found.steps] == [
        ("", "fp32", "measured"),
        ("mixed_precision", "bf16", "measured"),
        ("gradient_checkpointing", "fp32", "measured"),
    ]
    mixed, checkpointed = brought(found.steps)
    assert (mixed.setting, checkpointed.setting) == ("mixed_precision", "gradient_checkpointing")
    assert checkpointed.memory is not None
    assert checkpointed.memory < 0.9
    assert checkpointed.said.startswith("gradient_checkpointing: ")
    plain = rows(found)["eager", ""]
    assert rows(found)["eager", "gradient_checkpointing"].losses == plain.losses
    assert plain.losses == rows(healthy)["eager", ""].losses[:5], "the same seed gives the same model and tokens"


def test_a_model_is_compiled(torch_python: str) -> None:
    small = replace(TINY, layers=1, width=32, heads=2)
    found = trained(
        torch_python, ["sdpa"], settings=["torch_compile"], config=small, batch=1, length=16, environment=CHEAPLY
    )
    plain, compiled = found.steps
    assert (compiled.setting, compiled.status) == ("torch_compile", "measured")
    assert compiled.losses == pytest.approx(plain.losses, rel=1e-5)
    (one,) = brought(found.steps)
    assert one.faster is not None


def test_where_nothing_can_compile_there_is_no_row(torch_python: str, tmp_path: Path) -> None:
    without = {"CXX": str(tmp_path / "no-compiler"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path), **CHEAPLY}
    found = trained(torch_python, ["sdpa"], settings=["torch_compile"], environment=without)
    assert [one.setting for one in found.steps] == [""]


def test_a_budget_leaves_out_what_does_not_fit(torch_python: str) -> None:
    found = trained(torch_python, ["eager", "sdpa"], budget_s=0.1)
    assert [one.subject for one in found.steps] == ["eager"]
    assert found.steps[0].status == "measured"
    assert found.left_out == 1


INTERRUPTED = """
import sys
import msgspec
from attn_doctor.measure.training import Config, train

config = Config(name="tiny", layers=2, heads=4, width=64, vocabulary=500, padded_vocabulary=512, positions=64)
tell = lambda what, share: print(what, file=sys.stderr, flush=True)
own = (sys.argv[2], "hang")
sizes = {"batch": 4, "length": 64, "config": config}
found = train(sys.argv[1], ["eager", "own"], device="cpu", seed=3, tell=tell, own=own, **sizes)
print(msgspec.json.encode(found).decode())
"""


def test_an_interrupt_keeps_what_is_done(torch_python: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, torch_python, WRONG]
    environment = {**os.environ, **ONE_THREAD}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stderr:
            if "own" in line:
                process.send_signal(signal.SIGINT)
                break
        found = json.loads(process.stdout.read())
        assert process.wait(30) == 0
    assert found["interrupted"] is True
    eager, own = found["steps"]
    assert eager["status"] == "measured"
    assert eager["ms"] > 0
    assert (own["status"], own["reason"]) == ("left out", "interrupted")


# what follows from rows alone


def step(setting: str, ms: float, *, dtype: str = "bf16", subject: str = "sdpa", **more: Any) -> Step:
    return Step(
        **{"model": "GPT-2 124M", "batch": 8, "length": 1024, "status": "measured", "ms": ms, **more},
        subject=subject,
        setting=setting,
        dtype=dtype,
        samples_per_s=8000 / ms if ms else None,
    )


def test_each_setting_is_held_against_the_step_without_it() -> None:
    found = brought(
        [
            step("", 90, subject="flash_attention_2"),
            step("", 100, peak_bytes=1000, reserved_bytes=3000),
            step("fp32", 400, dtype="fp32", peak_bytes=2000),
            step("tf32", 200, dtype="fp32", peak_bytes=2000),
            step("torch_compile", 80, peak_bytes=900),
            step("gradient_checkpointing", 130, peak_bytes=400, noisy=True),
            step("expandable_segments", 101, peak_bytes=1000, reserved_bytes=1500),
        ]
    )
    assert [one.said for one in found] == [
        "mixed_precision: 4.00x faster, memory 0.50x",
        "tf32: 2.00x faster, memory 1.00x",
        "torch_compile: 1.25x faster, memory 0.90x",
        "gradient_checkpointing: 1.30x slower, memory 0.40x, noisy",
        "expandable_segments: no faster and no slower, memory 0.50x",
    ]


def test_a_setting_that_failed_says_why() -> None:
    failed = step("torch_compile", 0, status="crashed", reason="ended by SIGSEGV")
    (one,) = brought([step("", 100), failed])
    assert one.said == "torch_compile: crashed: ended by SIGSEGV"
    assert brought([failed]) == (), "nothing to hold it against"


HELLO = {"torch": "2.13.0", "python": "3.12", "cuda": True}


@pytest.mark.parametrize(
    ("capability", "dtype", "settings"),
    [
        ("9.0", "bf16", {"mixed_precision", "tf32", "expandable_segments"}),
        ("7.5", "fp16", {"mixed_precision", "expandable_segments"}),
        ("6.1", "fp32", {"expandable_segments"}),
        ("8.7", "bf16", {"mixed_precision", "tf32"}),  # Jetson
    ],
)
def test_a_gpu_is_asked_for_what_it_has(
    capability: str, dtype: str, settings: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTORCH_ALLOC_CONF", raising=False)
    hello = {**HELLO, "capability": capability}
    assert devices.usual("cuda", hello) == dtype
    asked = ("mixed_precision", "tf32", "expandable_segments")
    assert {one for one in asked if devices.can(one, "cuda", hello)} == settings


def test_the_variable_goes_by_the_release_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        monkeypatch.delenv(name, raising=False)
    new, old = ({**HELLO, "torch": torch, "capability": "9.0"} for torch in ("2.13.0+cu130", "2.7.1+cu118"))
    assert devices.segments(new) == {"PYTORCH_ALLOC_CONF": "expandable_segments:True"}
    assert devices.segments(old) == {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True"}
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "max_split_size_mb:128")
    assert devices.segments(new) == {"PYTORCH_ALLOC_CONF": "max_split_size_mb:128,expandable_segments:True"}
    monkeypatch.setenv("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    assert devices.segments(new) == {}, "they are on already"


@pytest.mark.parametrize("name", ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"])
def test_and_is_one_that_torch_reads_beside_what_the_user_set(
    torch_python: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF"):
        monkeypatch.delenv(one, raising=False)
    monkeypatch.setenv(name, "max_split_size_mb:128")
    told = devices.segments({**HELLO, "torch": "2.13.0", "capability": "9.0"})
    asked = "import torch; print(torch._C._accelerator_getAllocatorSettings())"
    read = subprocess.run([torch_python, "-c", asked], env={**os.environ, **told}, capture_output=True, check=True)
    assert read.stdout.decode().strip() == "max_split_size_mb:128,expandable_segments:True"
