"""What the children of the measurements make of exceptions, and how they name a GPU; without torch."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from attn_doctor.measure import child
from attn_doctor.measure.benchmark import Conditions
from attn_doctor.measure.conditions import of_card


@pytest.fixture(scope="module")
def answers() -> Any:
    spec = spec_from_file_location("answers", Path(child.FOLDER) / "attn_doctor_answers.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("said", "status", "spoilt"),
    [
        ("Triton Error [CUDA]: an illegal memory access was encountered", "failed", True),
        ("CUDA error: invalid argument; kernels are not supported", "failed", True),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", "no memory", False),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling", "no memory", False),
        ("CUDA error: CUBLAS_STATUS_NOT_SUPPORTED when calling `cublasGemmStridedBatchedEx(", "refused", False),
        ("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED", "refused", False),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "failed", True),
        ("std::bad_alloc", "no memory", False),
        ("Cannot allocate memory", "no memory", False),
        ("No viable backend for scaled_dot_product_attention was found.", "refused", False),
        ("FlashAttention only support fp16 and bf16 data type", "refused", False),
        ("Expected mha_graph.execute(handle, pack, room).is_good() to be true, but got false.", "failed", False),
        ("the sky fell", "failed", False),
    ],
)
def test_what_an_exception_says(answers: Any, said: str, status: str, spoilt: bool) -> None:
    found = answers.raised(RuntimeError(said))
    assert (found["status"], found.get("spoilt", False)) == (status, spoilt)


def test_shared_memory_is_not_the_memory_of_the_gpu(answers: Any) -> None:
    """As torch raises it where a kernel of FlexAttention needs more of it than a GeForce has."""
    error = type("OutOfMemoryError", (RuntimeError,), {})("out of resource: triton_tem_fused_0 Required: 139776")
    assert answers.raised(error)["status"] == "refused"


def test_a_gpu_is_named_as_the_driver_names_it(answers: Any) -> None:
    place = {"pci_domain_id": 0, "pci_bus_id": 0x3B, "pci_device_id": 0}
    assert answers.card(SimpleNamespace(uuid="ab-12", **place)) == ["GPU-ab-12", "00000000:3b:00.0"]
    assert answers.card(SimpleNamespace()) == []


def test_of_a_gpu_that_the_driver_does_not_know_nothing_is_said() -> None:
    known = Conditions(load=0.5)
    assert of_card(known, "cuda", {"card": ["GPU-of-nobody"]}) == known
    assert of_card(known, "cpu", {}) is known
