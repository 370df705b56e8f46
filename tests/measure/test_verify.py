"""Kernels that are wrong are caught, kernels that are right are not, and one that crashes costs its row alone.

With the real torch of the package index on the CPU; skipped where the tests have none at hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.mark.parametrize(("name", "expected"), [("crash", "crashed"), ("hang", "hung"), ("no_memory", "failed")])
def test_what_ends_a_child_costs_its_row(torch_python: str, name: str, expected: str) -> None:
    found = own(torch_python, name, timeout_s=2 if name == "hang" else 60)
    assert {row.status for row in found.rows} == {expected}
    assert len(found.rows) == (4 if expected == "failed" else 3)  # what ends child after child is given up
    assert all(row.reason for row in found.rows)
