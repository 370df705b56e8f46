"""AD303 to AD308, AD310, AD314 to AD316 and AD323: packages that do not belong together, on imagined machines."""

from __future__ import annotations

from typing import Any

import pytest

import imagined

A100 = "gpu=NVIDIA A100-SXM4-80GB"
OURS = {f"AD{number}" for number in range(301, 330)}


def found(*keys: str) -> dict[str, Any]:
    """Our findings by code."""
    return {one["code"]: one for one in imagined.judged(A100, *keys)["findings"] if one["code"] in OURS}


WRONG = [
    # torchvision and torchaudio: another release
    (("torch=2.8.0", "pkg.torchvision=0.22.1"), "AD303", "error", ("0.22.1", "torch==2.7.1", "2.8.0", "nms")),
    (("torch=2.15.0", "pkg.torchvision=0.29.0"), "AD303", "error", ("0.29.0", "torch==2.14.0", "2.15.0")),
    (("torch=2.13.0", "pkg.torchvision=0.29.2"), "AD303", "error", ("0.29.2", "torch>=2.14.0", "2.13.0")),
    (("torch=2.7.1", "pkg.torchvision=0.22.0"), "AD303", "info", ("0.22.0", "torch==2.7.0", "2.7.1")),
    (("torch=2.8.0", "pkg.torchaudio=2.7.1"), "AD304", "error", ("2.7.1", "torch==2.7.1", "2.8.0")),
    (("torch=2.1.0", "pkg.torchaudio=2.0.2"), "AD304", "error", ("2.0.2", "torch==2.0.1", "2.1.0")),
    # the same release for another CUDA
    (("torch=2.8.0+cu128", "pkg.torchvision=0.23.0+cu118"), "AD303", "error", ("0.23.0+cu118", "11.8", "12.8")),
    (("torch=2.8.0+cu128", "pkg.torchvision=0.23.0+cpu"), "AD303", "warning", ("0.23.0+cpu", "2.8.0+cu128")),
    (("torch=2.8.0+cpu", "pkg.torchvision=0.23.0+cu128"), "AD303", "error", ("0.23.0+cu128", "2.8.0+cpu")),
    (("torch=2.8.0+cu128", "pkg.torchaudio=2.8.0+cu126"), "AD304", "error", ("2.8.0+cu126", "12.6", "12.8")),
    (("torch=2.8.0", "pkg.triton=3.5.1"), "AD305", "warning", ("3.5.1", "triton==3.4.0", "2.8.0")),
    (("torch=2.14.1", "pkg.triton=3.9.0"), "AD305", "warning", ("3.9.0", "triton~=3.8.0", "2.14.1")),
    (("torch=2.9.1", "pkg.xformers=0.0.32.post2"), "AD306", "error", ("0.0.32.post2", "torch==2.8.0", "2.9.1")),
    (("torch=2.9.1", "pkg.xformers=0.0.35"), "AD306", "error", ("0.0.35", "torch>=2.10", "2.9.1")),
    (("torch=2.7.0", "pkg.xformers=0.0.31"), "AD306", "warning", ("0.0.31", "torch==2.7.1", "2.7.0")),
    (("torch=2.5.1", "pkg.transformers=5.23.0"), "AD307", "error", ("5.23.0", "torch>=2.6.0", "2.5.1", "disables")),
    (("torch=2.0.1", "pkg.transformers=4.57.6"), "AD307", "error", ("4.57.6", "torch>=2.1.0", "2.0.1")),
    (("torch=2.0.1", "pkg.transformers=4.40.0"), "AD307", "warning", ("4.40.0", "torch>=2.1.1", "eager")),
    (
        ("torch=2.8.0", "pkg.transformers=5.23.0", "pkg.flash-attn=2.3.2"),
        "AD307",
        "warning",
        ("5.23.0", "flash-attn>=2.3.3", "2.3.2"),
    ),
    (
        ("torch=2.8.0", "pkg.xformers=0.0.32.post2", "pkg.flash-attn=2.8.3"),
        "AD323",
        "error",
        ("0.0.32.post2", "flash-attn>=2.7.1,<=2.8.2", "2.8.3"),
    ),
    (
        ("torch=2.7.1", "pkg.xformers=0.0.31.post1", "pkg.flash-attn=2.8.1"),
        "AD323",
        "error",
        ("0.0.31.post1", "<2.8.1"),
    ),
    (("torch=2.7.0", "pkg.xformers=0.0.30", "pkg.flash-attn=2.8.3"), "AD323", "error", ("0.0.30", "<2.7.5")),
    (("torch=2.13.0", "pkg.xformers=0.0.35", "pkg.flash-attn=2.6.3"), "AD323", "error", ("0.0.35", "2.6.3")),
    (("torch=2.13.0", "pkg.xformers=0.0.35", "pkg.flash-attn-4=4.0.0b36"), "AD323", "error", ("flash-attn-4",)),
    (
        ("torch=2.2.2", "pkg.transformers=4.40.0", "pkg.flash-attn=2.0.4"),
        "AD307",
        "warning",
        ("4.40.0", "flash-attn>=2.1.0", "2.0.4"),
    ),
    (
        ("torch=2.14.1", "pkg.transformers=5.23.0", "pkg.kernels=0.17.2"),
        "AD308",
        "info",
        ("kernels>=0.18.2,<0.19", "0.17.2", "5.23.0"),
    ),
    (("torch=2.14.1", "pkg.transformers=5.23.0", "pkg.kernels=0.19.0"), "AD308", "info", ("0.19.0",)),
    (
        ("torch=2.8.0", "pkg.flash-attn=2.8.3", "pkg.flash-attn-4=4.0.0b36"),
        "AD310",
        "info",
        ("2.8.3", "4.0.0b36", "flash_attn"),
    ),
    (("torch=2.2.2", "pkg.numpy=2.1.0"), "AD314", "warning", ("2.1.0", "2.2.2", "Numpy is not available")),
    (
        ("torch=2.13.0", "pkg.flash-attn-4=4.0.0b36", "pkg.nvidia-cutlass-dsl=4.5.0"),
        "AD315",
        "warning",
        ("4.0.0b36", "nvidia-cutlass-dsl>=4.6.2", "4.5.0"),
    ),
    (
        ("torch=2.13.0", "pkg.flash-attn-4=4.0.0b36", "pkg.apache-tvm-ffi=0.2.0"),
        "AD315",
        "warning",
        ("apache-tvm-ffi>=0.1.11,<0.2", "0.2.0"),
    ),
    (
        ("torch=2.13.0", "pkg.nvidia-cudnn-cu12=9.10.2.21", "pkg.nvidia-cudnn-cu13=9.20.0.48"),
        "AD316",
        "info",
        ("nvidia-cudnn-cu12 9.10.2.21", "nvidia-cudnn-cu13 9.20.0.48", "13.0"),
    ),
]


@pytest.mark.parametrize(("keys", "code", "severity", "said"), WRONG, ids=lambda one: " ".join(one) if one else "")
def test_it_fires_and_names_what_against_what(
    keys: tuple[str, ...], code: str, severity: str, said: tuple[str, ...]
) -> None:
    findings = found(*keys)
    assert list(findings) == [code], findings
    assert findings[code]["severity"] == severity
    for words in said:
        assert words in findings[code]["detail"]
    assert findings[code]["fix"], "no command"


# the nearest healthy look-alike of each
RIGHT = [
    ("torch=2.8.0", "pkg.torchvision=0.23.0"),
    ("torch=2.8.0+cu128", "pkg.torchvision=0.23.0+cu126"),  # another CUDA minor: torchvision looks at the major alone
    ("torch=2.15.0", "pkg.torchvision=0.29.2"),  # not exact from there on
    ("torch=2.14.1", "pkg.torchvision=0.29.2"),
    ("torch=2.14.0", "pkg.torchvision=0.29.0"),
    ("torch=2.16.0", "pkg.torchvision=0.29.2"),  # newer than the tables
    ("torch=2.16.0", "pkg.torchvision=0.31.0", "pkg.torchaudio=2.12.0"),
    ("torch=2.8.0", "pkg.torchvision=0.12.0"),  # not in the tables: nothing is known
    ("torch=2.8.0+cpu", "pkg.torchvision=0.23.0+cpu", "pkg.torchaudio=2.8.0+cpu"),
    ("torch=2.9.0.dev20250801+cu128", "pkg.torchvision=0.22.0"),  # nobody knows what belongs to a nightly
    ("torch=2.8.0a0+5228986c39.nv25.6", "pkg.torchvision=0.22.0a0+824e8c8", "pkg.triton=3.3.0"),
    ("torch=2.8.0", "pkg.torchvision=0.22.0a0+824e8c8"),
    ("torch=2.8.0", "pkg.torchaudio=2.8.0"),
    ("torch=2.0.1", "pkg.torchaudio=2.0.2"),
    ("torch=2.13.0", "pkg.torchaudio=2.11.0"),  # the stable ABI: it demands no torch
    ("torch=2.9.1+rocm6.4", "pkg.torchvision=0.24.1+rocm6.4", "pkg.triton=3.4.0"),
    ("torch=2.8.0",),  # brings its triton
    ("torch=2.14.1", "pkg.triton=3.8.1"),
    ("torch=2.15.0", "pkg.triton=3.9.4"),
    ("torch=2.9.0", "pkg.triton=3.5.0"),  # the pin of 2.9.0 is not established
    ("torch=2.8.0+cpu", "pkg.triton=3.6.0"),
    ("os=windows", "torch=2.8.0+cu128", "pkg.triton-windows=3.5.0", "pkg.triton=3.5.0"),
    ("torch=2.8.0", "pkg.xformers=0.0.32.post2"),
    ("torch=2.8.0", "pkg.xformers=0.0.32.post1"),
    ("torch=2.8.0", "pkg.xformers=0.0.32.post2", "pkg.flash-attn=2.8.2"),
    ("torch=2.7.1", "pkg.xformers=0.0.31.post1", "pkg.flash-attn=2.8.0.post2"),  # it compares three numbers
    ("torch=2.7.0", "pkg.xformers=0.0.30", "pkg.flash-attn=2.7.4.post1"),
    ("os=windows", "torch=2.7.0+cu128", "pkg.xformers=0.0.30", "pkg.flash-attn=2.8.3"),  # it brings its own kernels
    ("torch=2.6.0", "pkg.xformers=0.0.29.post3", "pkg.flash-attn=2.8.3"),  # it falls back to torch's kernels
    ("torch=2.9.1", "pkg.xformers=0.0.33.post2", "pkg.flash-attn=2.8.3.post1"),
    ("torch=2.15.0", "pkg.xformers=0.0.35"),
    ("torch=2.8.0", "pkg.xformers=0.0.16rc425"),
    ("torch=2.6.0", "pkg.transformers=5.23.0"),
    ("torch=2.2.0", "pkg.transformers=5.0.0", "pkg.kernels=0.10.2"),
    ("torch=2.5.1", "pkg.transformers=5.10.0"),  # when the floor rose between 5.0 and 5.23 is not established
    ("torch=1.13.1", "pkg.transformers=4.30.0"),
    ("torch=2.8.0", "pkg.transformers=5.23.0", "pkg.flash-attn=2.3.3"),
    ("torch=2.8.0+cpu", "pkg.transformers=5.23.0", "pkg.flash-attn=2.0.4"),  # flash_attention_2 cannot be meant
    ("torch=2.14.1", "pkg.transformers=5.23.0", "pkg.kernels=0.18.2"),
    ("torch=2.8.0", "pkg.transformers=4.57.6", "pkg.kernels=0.17.2"),  # it does not look at the version
    ("torch=2.8.0", "pkg.kernels=0.1.7"),
    ("torch=2.13.0", "pkg.flash-attn-4=4.0.0b36"),  # imagined: its helpers come along
    ("torch=2.13.0", "pkg.flash-attn-4=4.0.0b36", "pkg.nvidia-cutlass-dsl=4.6.2", "pkg.quack-kernels=0.5.3"),
    ("torch=2.13.0", "pkg.flash-attn-4=4.0.0b3", "pkg.nvidia-cutlass-dsl=4.4.0"),  # an older one had other needs
    ("torch=2.2.2", "pkg.numpy=1.26.4"),
    ("torch=2.3.0", "pkg.numpy=2.1.0"),
    ("torch=2.13.0", "pkg.nvidia-cudnn-cu13=9.20.0.48", "pkg.nvidia-nccl-cu13=2.28.9"),
    ("torch=2.13.0", "pkg.nvidia-cudnn-cu13=9.20.0.48", "pkg.nvidia-cublas-cu12=12.8.4.1"),  # folders of their own
    ("torch=2.8.0", "pkg.nvidia-cudnn-cu12=9.10.2.21", "pkg.nvidia-nccl-cu13=2.28.9"),
]


@pytest.mark.parametrize("keys", RIGHT, ids=" ".join)
def test_it_leaves_the_look_alike_alone(keys: tuple[str, ...]) -> None:
    assert found(*keys) == {}


def fix(*keys: str) -> str:
    (finding,) = found(*keys).values()
    return finding["fix"][0]


def test_the_companion_comes_from_the_index_that_torch_came_from() -> None:
    assert fix("torch=2.8.0", "pkg.torchvision=0.22.1") == "pip install --no-deps torchvision==0.23.0"
    assert fix("torch=2.8.0+cu126", "pkg.torchvision=0.22.1") == (
        "pip install --no-deps torchvision==0.23.0+cu126 --index-url https://download.pytorch.org/whl/cu126"
    )


def test_the_same_version_of_another_build_is_named_with_its_build() -> None:
    """pip takes an installed 0.23.0+cpu for 0.23.0 and would do nothing."""
    assert fix("torch=2.8.0+cu128", "pkg.torchvision=0.23.0+cpu") == (
        "pip install --no-deps torchvision==0.23.0+cu128 --index-url https://download.pytorch.org/whl/cu128"
    )


def test_xformers_comes_for_the_installed_torch() -> None:
    assert "xformers==0.0.33.post2" in fix("torch=2.9.1", "pkg.xformers=0.0.32.post2")


def test_a_torch_that_transformers_accepts_and_no_older_one() -> None:
    assert "torch==2.6.0" in fix("torch=2.5.1", "pkg.transformers=5.23.0")
    (cpu,) = imagined.judged("torch=2.5.1+cpu", "pkg.transformers=5.23.0")["findings"]
    assert "torch==2.6.0" in cpu["fix"][0]
    assert "/whl/cpu" in cpu["fix"][0]


def test_beside_a_gpu_it_is_a_build_that_uses_the_gpu() -> None:
    findings = imagined.judged("gpu=GeForce GTX 1080", "torch=2.5.1+cpu", "pkg.transformers=5.23.0")["findings"]
    fixes = {one["code"]: one["fix"] for one in findings}
    assert fixes["AD307"] == fixes["AD104"] == ["pip install torch==2.6.0"]


def test_a_specifier_is_quoted_for_the_shell() -> None:
    assert fix("torch=2.2.2", "pkg.numpy=2.1.0") == "pip install 'numpy<2'"


MAINSTREAM = [
    ("torch=2.4.1", "pkg.torchvision=0.19.1", "pkg.torchaudio=2.4.1", "pkg.transformers=4.48.3", "pkg.numpy=1.26.4"),
    ("torch=2.5.1+cu121", "pkg.torchvision=0.20.1+cu121", "pkg.torchaudio=2.5.1+cu121", "pkg.xformers=0.0.29.post1"),
    ("torch=2.6.0", "pkg.torchvision=0.21.0", "pkg.transformers=4.53.3", "pkg.flash-attn=2.7.4.post1"),
    ("torch=2.7.1+cu128", "pkg.torchvision=0.22.1+cu128", "pkg.torchaudio=2.7.1+cu128", "pkg.numpy=2.3.0"),
    ("torch=2.8.0", "pkg.torchvision=0.23.0", "pkg.xformers=0.0.32.post2", "pkg.transformers=4.57.6"),
    ("torch=2.8.0+cpu", "pkg.torchvision=0.23.0+cpu", "pkg.transformers=5.0.0"),
    ("torch=2.9.1", "pkg.torchvision=0.24.1", "pkg.torchaudio=2.9.1", "pkg.transformers=5.0.0", "pkg.kernels=0.10.3"),
    ("torch=2.10.0", "pkg.torchvision=0.25.0", "pkg.torchaudio=2.10.0", "pkg.xformers=0.0.35"),
    ("torch=2.13.0", "pkg.torchvision=0.28.0", "pkg.torchaudio=2.11.0", "pkg.transformers=5.23.0"),
    ("torch=2.15.0", "pkg.torchvision=0.29.2", "pkg.transformers=5.23.0", "pkg.flash-attn-4=4.0.0b36"),
    ("os=windows", "torch=2.8.0+cu128", "pkg.torchvision=0.23.0+cu128", "pkg.triton-windows=3.4.0.post20"),
]


@pytest.mark.parametrize("keys", MAINSTREAM, ids=" ".join)
def test_mainstream_environments_are_left_alone(keys: tuple[str, ...]) -> None:
    assert found(*keys) == {}
