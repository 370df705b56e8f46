"""Installed packages that another torch would break: none is broken, and who holds torch is named."""

from __future__ import annotations

import pytest

from attn_doctor.judgement import torch_bonds
from attn_doctor.plan.plan import Plan
from plan.cases import commands, plan

GPU = ("gpu=NVIDIA H100 80GB HBM3", "driver=580.65.06", "python=3.11")
NO_FILE = (*GPU, "torch=2.3.0+cu121", "gcc=none")  # flash_attention_3 has files for later ones only


def torch_after(one: Plan) -> str | None:
    return next((change.after for change in one.changes if change.package == "torch"), None)


@pytest.mark.parametrize("name", ["torch-scatter=2.1.2", "mamba-ssm=2.2.2", "vllm=0.6.6", "natten=0.17.0", "apex=0.1"])
def test_a_package_compiled_for_one_torch_keeps_it(name: str) -> None:
    free = plan("flash_attention_3", *NO_FILE)
    assert torch_after(free), "without it torch moves"
    one = plan("flash_attention_3", *NO_FILE, f"pkg.{name}")
    assert torch_after(one) is None
    assert not any(way.possible and torch_after(way) for way in one.alternatives)
    said = " ".join(one.obstacles)
    assert name.partition("=")[0] in said
    assert "environment of its own" in said


@pytest.mark.parametrize("name", ["bitsandbytes=0.46.0", "torchao=0.12.0", "transformers=4.57.1", "einops=0.8.1"])
def test_what_does_not_mind_holds_nothing(name: str) -> None:
    assert torch_after(plan("flash_attention_3", *NO_FILE, f"pkg.{name}"))


def test_the_same_release_for_the_gpu_breaks_nothing() -> None:
    """A CPU torch beside an idle GPU: the CUDA build of that very release is found by what was compiled beside it."""
    one = plan("flash_attention_2", *GPU, "torch=2.5.1+cpu", "pkg.vllm=0.6.6", "pkg.torch-scatter=2.1.2")
    assert one.possible
    assert torch_after(one) == "2.5.1+cu124"


def test_who_holds_torch_is_named_where_none_else_serves() -> None:
    one = plan("sdpa", "gpu=NVIDIA B200", "driver=580.65.06", "torch=2.5.1+cu124", "pkg.vllm=0.6.6")
    assert not one.possible
    assert any(said.startswith("vllm 0.6.6 works with no other than torch 2.5") for said in one.obstacles)
    assert "no published torch fits this machine" not in one.obstacles


def test_every_bond_is_told_in_words() -> None:
    for name, bond in torch_bonds.bonds().items():
        if bond in ("moves", "free"):
            continue
        one = plan("sdpa", "gpu=NVIDIA B200", "driver=580.65.06", "torch=2.5.1+cu124", f"pkg.{name}=1.0")
        held = any(said.startswith(f"{name} 1.0 ") for said in one.obstacles)
        assert held is (bond != "not_older"), name


def test_the_same_version_built_otherwise_is_written_anew() -> None:
    """pip takes a self-built 2.8.0+cu128 for the published one and would do nothing."""
    one = plan("flash_attention_2", *GPU, "torch=2.8.0+cu128", "cxx11abi=false", trust="upstream")
    (command,) = [line for line in commands(one) if "torch==2.8.0" in line]
    assert "--force-reinstall --no-deps torch==2.8.0+cu128" in command
    assert any("built otherwise than the published torch 2.8.0+cu128" in why for why in one.why)
    plain = plan("flash_attention_2", *GPU, "torch=2.8.0+cu128", trust="upstream")
    assert torch_after(plain) is None
