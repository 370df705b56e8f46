"""Down the chain on imagined machines."""

from __future__ import annotations

import pytest

from attn_doctor.errors import UsageError
from attn_doctor.judgement import resolution
from attn_doctor.judgement.check import check
from attn_doctor.judgement.need import parse
from attn_doctor.judgement.view import Machine
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Unknown

A100, TITAN, T4 = "gpu=NVIDIA A100-SXM4-80GB", "gpu=NVIDIA TITAN RTX", "gpu=Tesla T4"
FLASH_ATTN = "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE"


def resolved(
    *keys: str,
    backend: str | None = None,
    chain: list[str] | None = None,
    need: tuple[str, ...] = (),
    to: str | None = None,
) -> resolution.Resolution:
    machine = Machine(whatif.simulate(keys))
    return resolution.resolve(machine, resolution.chain_of(backend, chain, to), parse(need), to)


def reason(answer: resolution.Resolution, backend: str) -> str:
    return next(step.reason for step in answer.steps if step.backend == backend)


def test_what_is_ready_is_taken_and_nothing_behind_it_is_looked_at() -> None:
    answer = resolved(A100, "torch=2.8.0", FLASH_ATTN)
    assert (answer.backend, answer.fell_back, answer.reasons) == ("flash_attention_2", False, ())
    assert [step.backend for step in answer.steps] == ["flash_attention_2"]


def test_what_is_missing_is_named() -> None:
    answer = resolved(A100, "torch=2.8.0")
    assert (answer.backend, answer.word, answer.fell_back) == ("sdpa", "sdpa", True)
    assert answer.reasons == ("flash_attention_2 does not run here: flash-attn is not installed",)
    assert answer.steps[0].fix == "attn-doctor install flash_attention_2"


def test_the_card_of_seed_002() -> None:
    answer = resolved(TITAN, "torch=2.9.0+cu128", "pkg.transformers=4.57.6", to="transformers")
    assert answer.setting == 'attn_implementation="sdpa"'
    assert answer.reasons == ("flash_attention_2 does not run here: needs capability 8.0; this GPU has 7.5",)
    assert answer.steps[0].fix is None


def test_a_build_for_another_torch_is_not_taken() -> None:
    answer = resolved(A100, "torch=2.9.1", FLASH_ATTN)
    assert answer.backend == "sdpa"
    assert "torch 2.8" in reason(answer, "flash_attention_2")


@pytest.mark.parametrize("torch", ["none", "1.13.1+cu117"])
def test_without_sdpa_eager_is_left_and_without_torch_nothing(torch: str) -> None:
    answer = resolved(A100, f"torch={torch}")
    assert answer.backend == (None if torch == "none" else "eager")
    if torch == "none":
        assert len(answer.reasons) == 3
        assert "torch is not installed" in answer.reasons[-1]


def test_what_the_model_needs_counts() -> None:
    keys = (A100, "torch=2.8.0", FLASH_ATTN)
    assert resolved(*keys, need=("dtype=bf16", "causal")).backend == "flash_attention_2"
    masked = resolved(*keys, need=("mask",))
    assert (masked.backend, reason(masked, "flash_attention_2")) == ("sdpa", "has no mask of one's own")
    assert resolved(*keys, need=("softcap", "mask")).backend == "eager"
    assert resolved(*keys, need=("dtype=fp8",)).backend is None


@pytest.mark.parametrize(
    ("backend", "chain", "to", "expected"),
    [
        (None, None, None, ("flash_attention_2", "sdpa", "eager")),
        ("fa3", None, None, ("flash_attention_3", "flash_attention_2", "sdpa", "eager")),
        ("flex", None, None, ("flex_attention", "sdpa", "eager")),
        ("sdpa", None, None, ("sdpa", "eager")),
        ("manual", None, None, ("eager",)),
        (None, ["xformers", "math"], None, ("xformers", "eager")),
        ("fa2", ["sdpa", "fa2"], None, ("flash_attention_2", "sdpa")),
        (None, None, "vllm", ("flash_attention_2", "triton")),
        ("sdpa", None, "sglang", ("sdpa", "flash_attention_3", "triton")),
    ],
)
def test_the_chain_that_a_call_means(
    backend: str | None, chain: list[str] | None, to: str | None, expected: tuple[str, ...]
) -> None:
    assert resolution.chain_of(backend, chain, to) == expected


def test_an_empty_chain_and_a_wrong_name_are_refused() -> None:
    with pytest.raises(UsageError, match="the chain is empty"):
        resolution.chain_of(None, [])
    with pytest.raises(UsageError, match="no backend 'fa22'"):
        resolution.chain_of(None, ["fa22"])


def test_a_backend_that_the_framework_has_no_name_for_is_passed_over() -> None:
    answer = resolved("torch=2.8.0", "pkg.transformers=4.45.2", chain=["flex_attention", "sdpa"], to="transformers")
    assert reason(answer, "flex_attention") == "transformers 4.45.2 has no name for it"
    assert answer.word == "sdpa"


def test_versions_that_the_framework_refuses() -> None:
    old = (A100, "torch=2.0.1+cu118", "pkg.flash-attn=2.0.4+cu118torch2.0cxx11abiFALSE")
    answer = resolved(*old, "pkg.transformers=4.48.3", to="transformers")
    assert "wants torch>=2.1.1; 2.0.1+cu118 is installed" in reason(answer, "sdpa")
    assert answer.word == "eager"
    mute = resolved(A100, "torch=2.4.0", "pkg.transformers=5.23.0", to="transformers")
    assert mute.backend is None, "5.23 disables a torch below 2.6 altogether"
    short = resolved(
        A100,
        "torch=2.5.1",
        "pkg.flash-attn=2.5.9.post1+cu124torch2.5cxx11abiFALSE",
        "pkg.diffusers=0.42.1",
        to="diffusers",
    )
    assert "diffusers 0.42.1 wants flash-attn>=2.6.3" in reason(short, "flash_attention_2")
    assert short.setting == 'set_attention_backend("native")'


def test_a_release_older_than_every_name() -> None:
    answer = resolved(A100, "torch=2.8.0", "pkg.transformers=4.30.2", to="transformers")
    assert answer.backend is None
    ready = [step for step in answer.steps if step.status == "ready"]
    assert [step.backend for step in ready] == ["sdpa", "eager"], "they run, and have no name there"
    assert all("older than what attn-doctor knows" in step.reason for step in ready)


@pytest.mark.parametrize(
    ("gpu", "to", "word"),
    [(A100, "vllm", "FLASH_ATTN"), (T4, "vllm", "TRITON_ATTN"), (A100, "sglang", "fa3"), (T4, "sglang", "triton")],
)
def test_kernels_that_a_framework_brings_itself_need_no_package(gpu: str, to: str, word: str) -> None:
    assert resolved(gpu, "torch=2.9.1", to=to).word == word


def test_a_server_for_gpus_has_nothing_for_a_cpu() -> None:
    answer = resolved("torch=2.9.1+cpu", to="vllm")
    assert answer.backend is None
    assert "NVIDIA GPUs that torch can use" in answer.reasons[0]


def test_what_the_hub_would_bring_is_said() -> None:
    answer = resolved(A100, "torch=2.10.0", "pkg.transformers=5.23.0", "pkg.kernels=0.18.3", to="hf")
    assert "would fetch kernels-community/flash-attn2 from the Hub" in reason(answer, "flash_attention_2")
    without = resolved(A100, "torch=2.10.0", "pkg.transformers=5.23.0", "pkg.kernels=0.17.2", to="hf")
    assert "Hub" not in reason(without, "flash_attention_2")


def test_what_could_not_be_read_is_named_where_it_might_have_mattered() -> None:
    facts = whatif.simulate(["torch=2.8.0"])
    facts.readings["gpus"] = Unknown("no answer within 10 s")
    answer = resolution.resolve(Machine(facts), resolution.DEFAULT, parse(()))
    assert answer.backend == "sdpa"
    assert answer.unreadable == ("gpus: no answer within 10 s",)


def test_it_agrees_with_check() -> None:
    for keys in ((A100, "torch=2.8.0", FLASH_ATTN), (TITAN, "torch=2.8.0"), ("torch=2.8.0+cpu",), (A100,)):
        facts = whatif.simulate(keys)
        ready = {one.name for one in check(facts, parse(())).backends if one.status == "ready"}
        answer = resolution.resolve(Machine(facts), resolution.DEFAULT, parse(()))
        assert answer.backend == next((one for one in resolution.DEFAULT if one in ready), None)


def test_where_judging_itself_fails_the_last_of_the_chain_is_taken() -> None:
    answer = resolution.untried(resolution.DEFAULT, parse(()), "transformers", "it broke")
    assert (answer.word, answer.fell_back, answer.unreadable) == ("eager", True, ("it broke",))
