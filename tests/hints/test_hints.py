"""What helps without FlashAttention: only where it helps, in the words of the installed torch."""

from __future__ import annotations

from typing import Any

import pytest

from attn_doctor.judgement import need
from attn_doctor.judgement.check import check
from attn_doctor.judgement.hint import advisers
from attn_doctor.knowledge import hints as knowledge
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Known
from attn_doctor.machine.gather import Facts
from attn_doctor.reporters import reporter

AMPERE = "gpu=NVIDIA GeForce RTX 3090"
TURING = "gpu=Tesla T4"
PASCAL = "gpu=NVIDIA GeForce GTX 1080"


def report(*keys: str, environment: dict[str, str] | None = None) -> Any:
    facts = whatif.simulate([*keys])
    if environment is not None:
        facts = Facts(readings=facts.readings | {"environment": Known(environment, source="the test")})
    return check(facts, need.parse(()))


def snippets(*keys: str, **more: Any) -> dict[str, str]:
    return {hint.name: hint.snippet for hint in report(*keys, **more).hints}


def test_the_folder_is_listed() -> None:
    assert len(advisers()) == 5


def test_ampere_with_a_current_torch() -> None:
    assert snippets(AMPERE, "torch=2.13.0") == {
        "expandable_segments": "export PYTORCH_ALLOC_CONF=expandable_segments:True",
        "gradient_checkpointing": "torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)",
        "mixed_precision": 'with torch.autocast("cuda", dtype=torch.bfloat16):',
        "tf32": 'torch.backends.cuda.matmul.fp32_precision = "tf32"',
        "torch_compile": "model = torch.compile(model)",
    }


@pytest.mark.parametrize(
    ("torch", "call"),
    [
        ("2.8.0", "torch.backends.cuda.matmul.allow_tf32 = True"),
        ("2.9.1", 'torch.backends.cuda.matmul.fp32_precision = "tf32"'),
    ],
)
def test_tf32_in_the_words_of_that_torch(torch: str, call: str) -> None:
    assert snippets(AMPERE, f"torch={torch}")["tf32"] == call


def test_turing_has_no_tf32_and_takes_fp16_with_a_scaler() -> None:
    found = snippets(TURING, "torch=2.8.0")
    assert "tf32" not in found
    assert (
        found["mixed_precision"]
        == 'scaler = torch.amp.GradScaler("cuda")\nwith torch.autocast("cuda", dtype=torch.float16):'
    )
    old = snippets(TURING, "torch=2.2.2")["mixed_precision"]
    assert old.startswith("scaler = torch.cuda.amp.GradScaler()")


def test_the_oldest_gpu_decides() -> None:
    found = snippets(AMPERE, TURING, "torch=2.8.0")
    assert "tf32" not in found
    assert "float16" in found["mixed_precision"]


def test_pascal_gains_nothing_from_fp16_nor_can_triton_compile_for_it() -> None:
    assert set(snippets(PASCAL, "torch=2.7.1+cu126")) == {"expandable_segments", "gradient_checkpointing"}


@pytest.mark.parametrize(
    ("torch", "name"),
    [("2.10.0", "PYTORCH_CUDA_ALLOC_CONF"), ("2.9.1", "PYTORCH_CUDA_ALLOC_CONF"), ("2.11.0", "PYTORCH_ALLOC_CONF")],
)
def test_the_name_that_that_torch_heeds(torch: str, name: str) -> None:
    assert snippets(AMPERE, f"torch={torch}")["expandable_segments"] == f"export {name}=expandable_segments:True"


def test_and_where_the_older_name_is_set_that_one() -> None:
    """torch 2.13.0 reads it before the newer one, and then the newer one no more."""
    found = snippets(AMPERE, "torch=2.13.0", environment={"PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:128"})
    wanted = "export PYTORCH_CUDA_ALLOC_CONF=max_split_size_mb:128,expandable_segments:True"
    assert found["expandable_segments"] == wanted


@pytest.mark.parametrize(
    ("keys", "environment"),
    [
        ((AMPERE, "torch=2.8.0", "wsl=true"), None),
        (("os=windows", AMPERE, "torch=2.8.0+cu128"), None),
        ((AMPERE, "torch=2.0.1"), None),
        ((AMPERE, "torch=2.8.0"), {"PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:False"}),
        (("arch=aarch64", "gpu=Jetson AGX Orin", "torch=2.11.0"), None),
    ],
    ids=["wsl", "windows", "too old", "set already", "jetson"],
)
def test_no_expandable_segments(keys: tuple[str, ...], environment: dict[str, str] | None) -> None:
    assert "expandable_segments" not in snippets(*keys, environment=environment)


@pytest.mark.parametrize(
    ("keys", "compiles"),
    [
        (("torch=2.8.0", "python=3.13"), True),
        (("torch=2.5.1", "python=3.13"), False),
        (("torch=2.3.1", "python=3.12"), False),
        (("torch=2.10.0", "python=3.14"), True),
        (("torch=2.9.1", "python=3.14"), False),
        (("torch=2.8.0", "python=3.13t"), False),
        (("torch=2.8.0", "gcc=none"), False),
    ],
)
def test_torch_compile_only_where_it_runs(keys: tuple[str, ...], compiles: bool) -> None:
    assert ("torch_compile" in snippets(AMPERE, *keys)) is compiles


def test_nothing_where_flash_attention_runs_or_no_gpu_is_used() -> None:
    assert snippets(AMPERE, "torch=2.8.0", "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE") == {}
    assert snippets("torch=2.8.0") == {}
    assert snippets(AMPERE, "torch=2.8.0+cpu") == {}
    assert snippets(AMPERE) == {}


def test_a_mac_is_told_what_holds_there() -> None:
    assert set(snippets("os=macos", "arch=aarch64", "gpu=Apple M3 Max", "torch=2.8.0")) == {"gradient_checkpointing"}


@pytest.mark.parametrize("gpu", [AMPERE, TURING, PASCAL])
def test_every_hint_says_why_and_where_from(gpu: str) -> None:
    for hint in report(gpu, "torch=2.7.1+cu126").hints:
        assert hint.text
        assert hint.source
        assert hint.snippet


def test_the_text_shows_them_at_the_end_and_only_when_asked() -> None:
    of = report(AMPERE, "torch=2.8.0")
    render = reporter("text")
    short = render(of, verbose=False, elapsed_s=None, plain=True)
    long = render(of, verbose=True, elapsed_s=None, plain=True)
    assert "without FlashAttention" not in short
    block = long.partition("Helps here without FlashAttention:\n")[2]
    assert "  tf32: float32 matrix products" in block
    assert "      torch.backends.cuda.matmul.allow_tf32 = True\n" in block
    assert all(len(line) <= 80 for line in block.splitlines())


def test_the_table() -> None:
    assert knowledge.api("tf32", "1.6.0") is None
    assert knowledge.floor("tf32") == "8.0"
    assert not knowledge.compiles_on("3.15", "2.15.0")
    assert all(row.source for row in (*knowledge.table().apis, *knowledge.table().floors))
