"""Warnings and banners that stop nothing, by who prints them; each with what it means."""

from __future__ import annotations

import re
from functools import cache

from attn_doctor.explain.cause import PROOF, SIGN, Sign, Strength
from attn_doctor.explain.log import Line

WITHOUT_TRITON = ("matching Triton is not available", "Triton is not available, some optimizations")
SDPA = (
    "SDPA notes that this torch (the Windows wheels above all) has no flash kernel inside; it uses "
    "another, with the same result."
)
LOADING = (
    "transformers gives advice on how the model is loaded. Passing dtype=torch.bfloat16 and moving the "
    "model to the GPU "
    "ends it; under autocast, FSDP and DeepSpeed it is said although all is well."
)
NO_TRITON = "xFormers works without Triton; only a few of its operators need it. On Windows that line is the rule."
NO_FLASH = "The model goes on without flash-attn: the line is an offer of more speed, not a fault."
PACKAGING = "A note of the packaging tools about how packages are built or installed in future. It stops nothing today."
COMPILING = "A warning of the compiler or of torch's build code; builds with it succeed."
DEPRECATED = "A library announces a change of its interface. Nothing fails because of it."
STARTING = "What libraries say when they start: on optional parts that are not there and not needed."
FALLBACK = "The program names the attention kernel that it cannot use and goes on with another."
REASONS = "xFormers only says why one operator is passed over; another one is taken."
DRIVER = "A note on how driver and CUDA fit together; that mode is supported."
GIT = "Only the version text is affected: the folder has no git history."

# (what it means, who prints it, strength, the texts; a tuple of two is a literal and a pattern)
TABLE: tuple[tuple[str, str, Strength, tuple[str | tuple[str, str], ...]], ...] = (
    (SDPA, "torch: sdp_utils.cpp", SIGN, ("orch was not compiled with flash attention",
    "orch was not compiled with memory efficient attention")),
    (LOADING, "transformers/modeling_utils.py", SIGN, (
        "You are attempting to use Flash Attention",
        ("Flash Attention 2", r"Flash Attention 2(?:\.0)? only supports torch\.float16"),
        ("Flash Attention 3", r"Flash Attention 3(?:\.0)? only supports torch\.float16"),
        "The input hidden states seems to be silently casted in float32",
        "Casting fp32 inputs back to",
        "use_flash_attention_2=True, which is deprecated",
        "Setting `pad_token_id` to `eos_token_id`",
        "attention mask and the pad token id were not set",
        "attention mask is not set and cannot be inferred",
        "`use_cache=True` is incompatible with gradient checkpointing",
        "`torch_dtype` is deprecated",
        "Sliding Window Attention is enabled but not implemented for",
        "We detected that you are passing `past_key_values`",
        "Special tokens have been added in the vocabulary",
        "Using a slow image processor as `use_fast` is unset",
        ("were not initialized from the model checkpoint", r"[Ss]ome weights of"),
        "You should probably TRAIN this model on a down-stream task",
        "Token indices sequence length is longer than the specified maximum",
        "`loss_type=None` was set in the config",
        "Both `max_new_tokens`",
    )),
    (NO_TRITON, "xformers/__init__.py; torch on Windows", PROOF, (*WITHOUT_TRITON,
    "triton not found; flop counting will not work")),
    (NO_FLASH, "remote model code: Qwen, Phi-3, InternLM", SIGN, (
        ("import flash_attn", r"[Ww]arning: import flash_attn"),
        "package not found, consider installing for better performance",
        "does not support `window_size`. Either upgrade or use",
        ("lash",
        (
            r"(?i)flash[ _-]?att\w*[^\n]{0,30}(?:not (?:available|installed|found)"
            r"|unavailable)[^\n]{0,40}(?:fall(?:ing)? ?back|instead|using (?:sdpa|eager|xformers|pytorch|torch"
            r"|native|standard|default|math))"
        )),
        ("lash",
        (
            r"(?i)^(?:\S+ )?\W*(?:info|warning)\W[^\n]{0,80}flash[ _-]?att\w*[^\n]{0,40}(?:not (?:available"
            r"|installed|found)|unavailable)"
        )),
        "flash attention is not available in this environment, using",
        "FlashAttention2 is not installed.",
        "FlashAttention is not available on this device. Using",
    )),
    (FALLBACK, "vllm, sglang", SIGN, (
        "Cannot use FlashAttention-2 backend",
        "Cannot use _Backend.FLASH_ATTN backend",
        "Using XFormers backend",
        "Using Flash Attention backend",
        "Using FlashAttention version",
        "flash-attn is not installed. Please install it for better performance",
        "FlashInfer is not available. Falling back",
        ("FlashInfer", r"(?i)flashinfer[^\n]{0,60}(?:falling back|fall back to)"),
        ("Cannot use FA version 2", r"WARN|INFO"),
    )),
    (REASONS, "xformers/ops/fmha/common.py", SIGN, (("requires device with capability > (9, 0)", r"^(?!.*too new)"),)),
    (PACKAGING, "setuptools, pip, wheel, conda", SIGN, (
        "SetuptoolsDeprecationWarning", "EasyInstallDeprecationWarning", "SetuptoolsWarning",
        "setup.py install is deprecated",
        "pkg_resources is deprecated", "pkg_resources.declare_namespace", "Implementing implicit namespace packages",
        ("DEPRECATION: ", r"^\s*DEPRECATION: "), "[notice] A new release of pip", "[notice] To update, run",
        "You are using pip version", "WARNING: Running pip as the 'root' user",
        "Defaulting to user installation because",
        "which is not on PATH", "License classifiers are deprecated", "`project.license` as a TOML table is deprecated",
        "Package would be ignored", "Please avoid running ``setup.py``", "failed with initial frozen solve. Retrying",
        "failed with current_repodata.json, will retry", "There was an error checking the latest version of pip",
        "Failed to hardlink files; falling back to full copy", "Skipping link:",
    )),
    (COMPILING, "torch/utils/cpp_extension.py, nvcc, gcc, cmake", SIGN, (
        "TORCH_CUDA_ARCH_LIST is not set, all archs", "There are no g++ version bounds defined for CUDA",
        "Most likely this shouldn't be a problem",
        "has a minor version mismatch with the version that was used to compile",
        "No CUDA runtime is found, using CUDA_HOME", "is valid for C/ObjC but not for C++",
        "Support for offline compilation for architectures prior",
        "architectures are deprecated, and may be removed", ("nvcc warning :", r"nvcc warning : (?!.*-std=)"),
        "ptxas warning", "ptxas info",
        ("warning #", r"warning #\d+-D"), ("[-W", r"warning: [^\n]{0,300}\[-W[\w=+-]+\]"), "CMake Deprecation Warning",
        "CMake Warning (dev)",
        ("warning D9025", r"cl ?: .{0,40}warning D9025"), ("warning C", r": warning C4\d{3}:"), "warning LNK4",
        "Emitting ninja build file", "Allowing ninja to set a default number of workers",
    )),
    (GIT, "git, called by setup.py", SIGN, ("fatal: not a git repository",
    "fatal: No names found, cannot describe anything")),
    (DEPRECATED, "torch, huggingface_hub and others", SIGN, (
        "FutureWarning: ", "DeprecationWarning: ", "TypedStorage is deprecated", "`resume_download` is deprecated",
        "`clean_up_tokenization_spaces` was not set", "weights_only=False", "is deprecated and will be removed",
        "the use_reentrant parameter should be passed explicitly", "will be deprecated in the future",
        "Importing from timm.models.layers is deprecated",
    )),
    (STARTING, "TensorFlow, DeepSpeed, apex, tokenizers, xFormers, NCCL, Jupyter", SIGN, (
        "TF-TRT Warning: Could not find TensorRT", "Unable to register cuDNN factory",
        "Unable to register cuFFT factory",
        "Unable to register cuBLAS factory", "computation_placer already registered", "TensorFlow binary is optimized",
        "oneDNN custom operations are on",
        "Could not find cuda drivers on your machine, GPU will not be used",
        "huggingface/tokenizers: The current process just got forked",
        "TOKENIZERS_PARALLELISM=(true | false)", "apex was installed without", "FusedRMSNorm not found",
        "discovered apex.normalization",
        ("apex",
        (
            r"(?i)(?:no module named 'apex'|please install (?:nvidia )?apex|apex is not installed"
            r"|cannot import name 'amp' from 'apex')"
        )),
        "async_io requires the dev libaio", "async_io: please install the libaio",
        "sparse_attn requires a torch version", "using untested triton version",
        "please install triton==1.0.0", "NVIDIA Inference is only supported on",
        "Redirects are currently not supported", "expandable_segments not supported on this platform",
        "Blocksparse is not available: the current GPU", "Either FairScale or torch distributed is not available",
        "process group has NOT been destroyed",
        "destroy_process_group() was not called", "The client socket has failed to connect to",
        "hostname of the client socket cannot be retrieved",
        "is not a symbolic link", "IProgress not found", "cache-system uses symlinks by default",
        "Xet Storage is enabled for this repo",
        "Setting ds_accelerator to", "OMP_NUM_THREADS environment variable for each process to be 1",
        "Detected kernel version", "does not have many workers which may be a bottleneck",
        "lazily loaded", "No audio backend is available", "failed to load image Python extension",
        "Failed to load image Python extension",
    )),
    (DRIVER, "NVIDIA's images: entrypoint", SIGN, ("CUDA Minor Version Compatibility mode ENABLED",
    "CUDA Forward Compatibility mode ENABLED", "SHMEM allocation limit is set to the default")),
)  # fmt: skip


@cache
def signs() -> tuple[Sign, ...]:
    """All of them."""
    return tuple(meanings())


@cache
def meanings() -> dict[Sign, str]:
    """What each means."""
    return {_sign(text, strength, by): means for means, by, strength, texts in TABLE for text in texts}


def _sign(text: str | tuple[str, str], strength: Strength, by: str) -> Sign:
    literal, pattern = (text, None) if isinstance(text, str) else text
    return Sign(literal, pattern, strength, by)


def known(line: Line) -> bool:
    """Whether a line is one of these, or only a part of one."""
    return any(
        sign.literal in line.text and (sign.pattern is None or re.search(sign.pattern, line.text)) for sign in signs()
    )
