"""Kernels that are wrong are caught, kernels that are right are not, and one that crashes costs its row alone.

With the real torch of the package index on the CPU; skipped where the tests have none at hand.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from attn_doctor.errors import NoAnswer
from attn_doctor.measure.cases import Case, cases
from attn_doctor.measure.child import FOLDER, Child
from attn_doctor.measure.verify import PATIENT, SCRIPT, Row, Verification, judged, subjects_of, summed, verify

WRONG = Path(__file__).parent / "wrong_kernels.py"
Try = Callable[..., list[Row]]
pytestmark = pytest.mark.xdist_group("torch")


@pytest.fixture(scope="module")
def child(torch_python: str) -> Iterator[Child]:
    """One process for all kernels that leave it alive: importing torch is what takes the time."""
    made = Child(torch_python, SCRIPT, PATIENT)
    yield made
    made.close()


@pytest.fixture
def tried(child: Child) -> Try:
    """The rows of a kernel of `wrong_kernels.py`, or of a subject, one for each case."""

    def answer(name: str, *, seed: int = 3, quick: bool = True) -> list[Row]:
        subject = name if name in SUBJECTS else "own"
        own = (str(WRONG), name) if subject == "own" else None
        listed = cases(subject, seed, "cpu", quick=quick)
        return [judged(one, child.ask({**one.question(), "own": own, "quick": quick}, 120))[0] for one in listed]

    return answer


SUBJECTS = (*subjects_of(["eager", "sdpa", "flex_attention"], "cpu"),)
BACKWARD = "backward"
LENGTHS = "lengths"


def of(rows: list[Row], part: str) -> list[str]:
    """The status of each case that has this in what is said of it, and then of the others."""
    return [row.status for row in rows if part in row.case]


def but(rows: list[Row], part: str) -> list[str]:
    return [row.status for row in rows if part not in row.case]


def own(python: str, name: str, *, quick: bool = True, seed: int = 3, timeout_s: float = 120) -> Verification:
    where = (str(WRONG), name)
    return verify(python, ["own"], device="cpu", seed=seed, quick=quick, own=where, timeout_s=timeout_s)


def test_what_torch_brings_is_right(torch_python: str) -> None:
    found = verify(torch_python, list(SUBJECTS), device="cpu", seed=11, quick=True)
    assert {one.name: one.status for one in found.subjects} == dict.fromkeys(SUBJECTS, "right")
    assert found.torch.startswith("2.")
    assert not found.interrupted
    assert found.sdpa[0].kernel == "flash"
    assert sum(one.cases for one in found.sdpa) == 5


@pytest.mark.parametrize("seed", [1, 20, 300, 4000, 50_000, 600_000, 7_000_000, 80_000_000, 900_000_000, 2_000_000_000])
def test_and_is_not_accused_with_other_inputs(tried: Try, seed: int) -> None:
    """`scripts/verify_seeds.py` does the same for 200."""
    rows = [row for subject in SUBJECTS for row in tried(subject, seed=seed)]
    assert [row for row in rows if row.status not in ("right", "refused")] == []
    assert sum(row.status == "right" for row in rows) == 23


def test_a_right_kernel_passes_every_case(tried: Try) -> None:
    rows = tried("right", quick=False, seed=1000)
    assert [row for row in rows if row.status not in ("right", "refused")] == []
    assert sum(row.status == "right" for row in rows) == len(rows) - 4  # dropout, forward and backward
    assert len(rows) > 120


def test_every_feature_of_torchs_own_is_tried(tried: Try) -> None:
    """Refused is what torch says it has not, and nothing else."""
    refused = {
        row.case.partition("head dimension 64")[2]: row.reason for row in tried("sdpa", quick=False) if not row.error
    }
    assert {case for case in refused if "dropout" not in case and "lengths" not in case} == set()
    assert any("is_causal=True" in reason for reason in refused.values())


@pytest.mark.parametrize("name", ["missing_scale", "wrong_head", "stale", "bf16_accumulation", "nan_result"])
def test_a_wrong_result_is_caught(tried: Try, name: str) -> None:
    rows = tried(name)
    assert {row.status for row in rows} >= {"wrong"}
    assert "wrong" in of(rows, LENGTHS), "packed sequences as well"
    assert all(row.reason for row in rows if row.status == "wrong")


def test_a_shifted_mask_is_caught_where_there_is_a_mask(tried: Try) -> None:
    rows = tried("shifted_mask")
    assert set(of(rows, "causal")) == {"wrong"}
    assert set(but(rows, "causal")) == {"right"}
    assert summed("own", rows, ()).only == ("causal",)


@pytest.mark.parametrize(
    "name",
    [
        *("wrong_gradient", "backward_unscaled", "backward_shifted", "backward_one_head", "backward_stale"),
        *("backward_bf16_sums", "backward_nan"),
    ],
)
def test_a_wrong_gradient_is_caught(tried: Try, name: str) -> None:
    rows = tried(name)
    assert of(rows, BACKWARD) == ["wrong"]
    assert set(but(rows, BACKWARD)) == {"right"}
    assert summed("own", rows, ()).only == ("backward",)


@pytest.mark.parametrize("name", ["looks_over_the_edge", "forgets_the_last"])
def test_what_is_wrong_with_packed_sequences_alone_is_caught(tried: Try, name: str) -> None:
    rows = tried(name)
    assert of(rows, LENGTHS) == ["wrong"]
    assert set(but(rows, LENGTHS)) == {"right"}
    assert summed("own", rows, ()).only == ("lengths",)


def test_and_in_their_gradient(child: Child) -> None:
    listed = [one for one in cases("own", 9, "cpu", quick=False) if one.lengths and one.dtype == "bf16"]
    for one in listed:
        row = ask(child, one, "packed_backward_leaks")
        assert row.status == ("wrong" if one.direction == BACKWARD else "right"), row


def ask(child: Child, case: Case, name: str) -> Row:
    return judged(case, child.ask({**case.question(), "own": (str(WRONG), name)}, 120))[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wrong_shape", "the result has shape (2, 160, 4, 64), not (2, 4, 160, 64)"),
        ("changes_inputs", "it changed its inputs"),
        ("backward_none", "backward gives no gradient for k"),
        ("slip", "IndexError: index 99"),
    ],
)
def test_a_fault_is_said(tried: Try, name: str, said: str) -> None:
    bad = [row for row in tried(name) if row.status != "right"]
    assert {row.status for row in bad} == {"failed" if name == "slip" else "wrong"}
    assert bad[0].reason.startswith(said)


@pytest.mark.parametrize("name", ["no_memory", "takes_all"])
def test_no_memory_is_no_fault_of_the_kernel(tried: Try, name: str) -> None:
    rows = tried(name)
    assert {row.status for row in rows} == {"no memory"}
    assert summed("own", rows, ()).status == "no memory"


def test_what_ends_a_child_costs_its_row(torch_python: str) -> None:
    found = own(torch_python, "backward_crash")
    assert {row.status for row in found.rows if BACKWARD in row.case} == {"crashed"}
    assert (found.subjects[0].status, found.subjects[0].right) == ("crashed", 4)
    assert found.subjects[0].only == ("backward",)
    assert found.subjects[0].reason == "ended by SIGABRT"


def test_and_what_ends_each_is_given_up(torch_python: str) -> None:
    found = own(torch_python, "crash")
    assert [row.status for row in found.rows] == ["crashed"] * 3
    assert found.rows[-1].reason == "ended by SIGABRT; the other 2 cases were left out"


@pytest.mark.parametrize("name", ["hang", "backward_hang"])
def test_a_hang_ends_with_the_time_that_a_case_may_take(torch_python: str, name: str) -> None:
    child = Child(torch_python, SCRIPT, PATIENT)
    try:
        child.start()
        listed = [one for one in cases("own", 1, "cpu", quick=True) if one.direction == BACKWARD]
        row, _ = judged(listed[0], child.ask({**listed[0].question(), "own": (str(WRONG), name)}, 5))
    finally:
        child.close()
    assert (row.status, row.reason) == ("hung", "no answer in 5 s")


@pytest.mark.parametrize("name", ["only_half", "no_gradient", "compiler_refuses"])
def test_a_case_that_is_refused_is_no_fault(tried: Try, name: str) -> None:
    """On a GPU the same words come from flash-attn for fp32, and SageAttention gives no gradient."""
    rows = tried(name)
    assert {row.status for row in rows} == {"right", "refused"}
    assert summed("own", rows, ()).status == "right"


def test_but_a_backend_that_takes_nothing_is_said_to(tried: Try) -> None:
    rows = tried("takes_nothing")
    assert {row.status for row in rows} == {"refused"}
    subject = summed("own", rows, ())
    assert subject.status == "failed"
    assert "took none of the cases" in subject.reason


def test_after_an_error_of_cuda_each_case_gets_a_process_that_can_be_believed(torch_python: str) -> None:
    found = own(torch_python, "spoils")
    assert {row.status for row in found.rows} == {"failed"}
    assert len(found.rows) == 5


def test_fp32_is_fp32_where_the_environment_asks_for_tf32(torch_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NVIDIA's containers do."""
    monkeypatch.setenv("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1")
    assert {row.status for row in own(torch_python, "in_tf32").rows} == {"right"}


def test_a_gpu_that_torch_does_not_see_is_said_and_accuses_nobody(torch_python: str) -> None:
    with pytest.raises(NoAnswer, match="sees no GPU"):
        verify(torch_python, ["sdpa"], device="cuda", seed=1, quick=True)


def test_what_has_no_attention_of_its_own_is_not_called() -> None:
    assert list(subjects_of(["triton", "eager", "flash_attention_1"], "cpu")) == ["eager"]


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "silent"))


@pytest.mark.usefixtures("silent")
def test_a_backend_that_asks_torch_in_silence_is_found_out(torch_python: str) -> None:
    """Its numbers are right: what ran tells, for whole tensors and for packed sequences."""
    found = verify(torch_python, ["flash_attention_2"], device="cpu", seed=5, quick=True)
    (subject,) = found.subjects
    assert subject.status == "fell back"
    first, *_, last = found.rows
    assert first.reason == "aten::_scaled_dot_product_flash_attention_for_cpu ran in its place"
    assert (last.status, LENGTHS in last.case) == ("fell back", True)
    assert "softmax" in last.reason


def test_a_kernel_of_sdpa_in_the_place_of_another_is_found_out() -> None:
    answer = {"status": "ran", "finite": True, "rms": 0.0, "eager_rms": 0.0, "error": 0.0, "eager": 0.0}
    case = next(cases("sdpa.flash", 1, "cpu", quick=True))
    ran = ["aten::_scaled_dot_product_attention_math", "aten::_softmax"]
    row, _ = judged(case, {**answer, "ran": ran})
    assert row.status == "fell back"
    row, _ = judged(case, {**answer, "ran": ["aten::_scaled_dot_product_flash_attention_for_cpu"]})
    assert row.status == "right"


def test_sdpa_says_what_it_took_and_torch_says_why_not_another(child: Child) -> None:
    """On a CPU its flash kernel knows no dropout, and nested tensors have only the plain one."""
    listed = [one for one in cases("sdpa", 9, "cpu", quick=False) if one.dtype == "fp32" and one.direction != BACKWARD]
    dropout = next(one for one in listed if one.dropout)
    answer = child.ask({**dropout.question(), "record": True}, 120)
    assert answer["kernel"] == "math"
    assert answer["not_taken"] == {"flash": "Both fused kernels do not support non-zero dropout."}
    plain = child.ask({**listed[0].question(), "record": True}, 120)
    assert (plain["kernel"], plain["not_taken"]) == ("flash", {})


NESTED = """
import inspect, json, re, sys
sys.path.insert(0, sys.argv[1])
import verify
from torch.nested._internal import sdpa
listed = re.search(r"ordering = \\((.*?)\\)", inspect.getsource(sdpa._select_sdp_backend), re.S)[1]
torchs = [name.partition("_")[0].lower() for name in re.findall(r"SDPBackend\\.(\\w+)", listed)]
print(json.dumps([verify.NESTED, torchs]))
"""


def test_nested_tensors_have_an_order_of_their_own(torch_python: str) -> None:
    """On a Hopper torch prefers cuDNN's kernel, but not for them: it must not be said that this one was passed over."""
    said = subprocess.run([torch_python, "-c", NESTED, FOLDER], capture_output=True, check=True)
    ours, torchs = json.loads(said.stdout)
    assert ours == torchs


def test_dropout_is_held_to_its_chance_and_its_mask(child: Child) -> None:
    listed = [one for one in cases("eager", 9, "cpu", quick=False) if one.dropout]
    assert {one.direction for one in listed} == {"forward", "backward"}
    for one in listed:
        row, _ = judged(one, child.ask(one.question(), 120))
        assert row.status == "right", row


@pytest.mark.usefixtures("silent")
def test_dropout_that_is_not_done_is_wrong(torch_python: str) -> None:
    """The stand-in takes the option and forgets it."""
    child = Child(torch_python, SCRIPT, PATIENT)
    try:
        listed = [one for one in cases("flash_attention_2", 9, "cpu", quick=False) if one.dropout]
        rows = [judged(one, child.ask(one.question(), 120))[0] for one in listed]
    finally:
        child.close()
    assert {row.status for row in rows if BACKWARD not in row.case} == {"wrong"}
    assert "the variance is 0.0" in rows[0].reason


def test_sdpa_and_flex_know_packed_sequences(child: Child) -> None:
    """Each against the float64 reference of every sequence by itself."""
    for subject in ("eager", "flex_attention", "sdpa.math"):
        listed = [one for one in cases(subject, 5, "cpu", quick=False) if one.lengths and one.direction != BACKWARD]
        rows = [judged(one, child.ask({**one.question(), "quick": True}, 120))[0] for one in listed]
        right = [row for row in rows if row.status == "right"]
        assert len(right) == (2 if subject == "sdpa.math" else 8), rows
        assert all(row.status == "refused" for row in rows if row not in right)
