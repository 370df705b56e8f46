"""Backends and packages by the names people write."""

from __future__ import annotations

from attn_doctor.errors import UsageError
from attn_doctor.judgement.backend import backends

# however they are spelt: FlashAttention-2, flash_attention2 and flash-attention-2 are one
ALIASES = {
    "manual": "eager",
    "math": "eager",
    "torch-sdpa": "sdpa",
    "scaled_dot_product_attention": "sdpa",
    "flex": "flex_attention",
    "fa1": "flash_attention_1",
    "fa": "flash_attention_2",
    "fa2": "flash_attention_2",
    "flash_attn_2": "flash_attention_2",
    "flash-attn": "flash_attention_2",
    "flash-attention": "flash_attention_2",
    "fa3": "flash_attention_3",
    "flash-attn-3": "flash_attention_3",
    "fa4": "flash_attention_4",
    "flash-attn-4": "flash_attention_4",
    "sage": "sage_attention",
    "sageattn": "sage_attention",
}
# packages of the catalogue without a backend here, by what people call them
PACKAGES = {
    "flashinfer": "flashinfer-python",
    "flashinfer-python": "flashinfer-python",
    "flashinfer-cubin": "flashinfer-cubin",
    "sageattention3": "sageattn3",
    "sageattn3": "sageattn3",
    "spargeattn": "spas-sage-attn",
    "spas-sage-attn": "spas-sage-attn",
}


def backend(name: str) -> str:
    """The backend of that name or alias. Raises UsageError with the nearest name."""
    names = {_bare(one): one for one in (*backends(), *ALIASES)}
    found = names.get(_bare(name))
    if found is not None:
        return ALIASES.get(found, found)
    raise UsageError(f"there is no backend {name!r}", f"{_instead(name, names)}Backends: {', '.join(backends())}.")


def package(name: str) -> str:
    """The package of the catalogue that people call so; any other name comes back as it is."""
    return {_bare(one): package for one, package in PACKAGES.items()}.get(_bare(name), name)


def _bare(name: str) -> str:
    return "".join(char for char in name.lower() if char not in "-_. ")


def _instead(name: str, names: dict[str, str]) -> str:
    """What may have been meant, as a sentence with a space behind it; empty where nothing is near."""
    if (known := package(name)) in PACKAGES.values():
        return f"{known} is no backend here; its files are listed by: attn-doctor wheels {known}. "
    from difflib import get_close_matches

    near = get_close_matches(_bare(name), names, n=1)
    return f"Did you mean {names[near[0]]}? " if near else ""
