"""Kernels that are wrong are caught, kernels that are right are not, and one that crashes costs its row alone.

With the real torch of the package index on the CPU; skipped where the tests have none at hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from attn_doctor.errors import NoAnswer
from attn_doctor.measure.verify import Verification, subjects_of, verify

WRONG = Path(__file__).parent / "wrong_kernels.py"
pytestmark = pytest.mark.xdist_group("torch")


def own(python: str, name: str, *, quick: bool = True, seed: int = 3, timeout_s: float = 120) -> Verification:
    where = (str(WRONG), name)
    return verify(python, ["own"], device="cpu", seed=seed, quick=quick, own=where, timeout_s=timeout_s)


def status(found: Verification) -> str:
    (subject,) = found.subjects
    return subject.status


def test_what_torch_brings_is_right(torch_python: str) -> None:
    found = verify(torch_python, list(subjects_of(["eager", "sdpa"], "cpu")), device="cpu", seed=11, quick=True)
    assert {one.name: one.status for one in found.subjects} == dict.fromkeys(
        ["eager", "sdpa", "sdpa.flash", "sdpa.math"], "right"
    )
    assert any("flash" in name for name in found.sdpa["chosen"])
    assert found.torch.startswith("2.")


def test_a_right_kernel_passes_every_case(torch_python: str) -> None:
    found = own(torch_python, "right", quick=False, seed=1000)
    assert [row for row in found.rows if row.status not in ("right", "refused")] == []
    assert found.subjects[0].right > 80


def test_and_with_other_inputs(torch_python: str) -> None:
    assert {status(own(torch_python, "right", seed=seed)) for seed in (1, 123456)} == {"right"}


@pytest.mark.parametrize(
    "name",
    ["shifted_mask", "missing_scale", "wrong_head", "stale", "bf16_accumulation", "nan_result", "wrong_gradient"],
)
def test_a_wrong_kernel_is_caught(torch_python: str, name: str) -> None:
    found = own(torch_python, name)
    assert status(found) == "wrong", found.rows
    assert found.subjects[0].reason


def test_a_result_of_another_shape_fails(torch_python: str) -> None:
    assert status(own(torch_python, "wrong_shape")) == "failed"


@pytest.mark.parametrize(("name", "expected"), [("crash", "crashed"), ("hang", "hung"), ("no_memory", "no memory")])
def test_what_ends_a_child_costs_its_row(torch_python: str, name: str, expected: str) -> None:
    found = own(torch_python, name, timeout_s=2 if name == "hang" else 60)
    assert {row.status for row in found.rows} == {expected}
    assert len(found.rows) == (4 if expected == "no memory" else 3)  # what ends child after child is given up
    assert all(row.reason for row in found.rows)


def statuses(found: Verification) -> set[str]:
    return {row.status for row in found.rows}


@pytest.mark.parametrize("name", ["only_half", "no_gradient"])
def test_a_case_that_is_refused_is_no_fault(torch_python: str, name: str) -> None:
    """On a GPU the same words come from flash-attn for fp32, and SageAttention gives no gradient."""
    found = own(torch_python, name)
    assert statuses(found) == {"right", "refused"}
    assert status(found) == "right"


def test_but_a_backend_that_takes_nothing_is_said_to(torch_python: str) -> None:
    found = own(torch_python, "takes_nothing")
    assert statuses(found) == {"refused"}
    assert status(found) == "failed"
    assert "took none of the cases" in found.subjects[0].reason


@pytest.mark.parametrize("name", ["slip", "spoils"])
def test_a_fault_is_a_fault(torch_python: str, name: str) -> None:
    found = own(torch_python, name)
    assert statuses(found) == {"failed"}
    assert len(found.rows) == 4, "each case got a process that could be believed"


def test_a_gpu_that_torch_does_not_see_is_said_and_accuses_nobody(torch_python: str) -> None:
    with pytest.raises(NoAnswer, match="sees no GPU"):
        verify(torch_python, ["sdpa"], device="cuda", seed=1, quick=True)


def test_what_has_no_attention_of_its_own_is_not_called() -> None:
    assert list(subjects_of(["triton", "eager", "flash_attention_1"], "cpu")) == ["eager"]
