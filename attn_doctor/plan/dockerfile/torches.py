"""The torch that a command installs: its version, and the CUDA of its build by every way to say it."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.versions import local, public
from attn_doctor.plan.dockerfile.pip import Installation, Requirement

INDEX_VARIANT = r"(?a)/whl/(?:nightly/|test/)?(cu\d{3}|cpu|rocm[\d.]+|xpu)"
INDEX_VARIABLES = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX"),
)  # fmt: skip


class Torch(msgspec.Struct, frozen=True):
    """A torch in the image. `cuda` is '' for a CPU or ROCm build; None: not known, as `version`."""

    version: str | None
    cuda: str | None
    line: int


def torch_version(wanted: Requirement) -> str | None:
    """'2.8.0' of 'torch==2.8.0+cu128', or of a wheel's name."""
    if wanted.file and wanted.file.endswith(".whl"):
        return public((*wanted.file.split("-"), "")[1]) or None
    return public(wanted.exact) if wanted.exact else None


def torch_cuda(inst: Installation, arch: str) -> str | None:
    """The CUDA of the torch that a command installs: '' for a CPU or ROCm build, None where it is not known."""
    wanted = inst.wanted("torch")
    stated = local((wanted.exact if wanted else None) or "")
    if wanted and wanted.file:
        stated = local((*wanted.file.split("-"), "")[1])
    variant = stated or _variant(inst)
    if variant is not None:
        return torch_builds.cuda_of_variant(variant) or ("" if variant.startswith(("cpu", "rocm", "xpu")) else None)
    if wanted is None or wanted.url or _indexes(inst) or "--torch-backend" in inst.options:
        return None
    version = wanted.exact or (None if wanted.specifier else torch_builds.newest())
    return torch_builds.default_cuda(version, "linux", arch) if version else None


def has_unknown_index(inst: Installation) -> bool:
    """Whether some index is named that is not PyTorch's own: it may hold anything."""
    return any(not re.search(INDEX_VARIANT, url) for url in _indexes(inst))


def index_cuda(inst: Installation) -> str | None:
    """'12.8' where the command itself names the CUDA of torch: in its version, its index or uv's backend."""
    wanted = inst.wanted("torch")
    variant = local((wanted.exact if wanted else None) or "") or _variant(inst)
    return torch_builds.cuda_of_variant(variant) if variant else None


def _variant(inst: Installation) -> str | None:
    """'cu128' of the index or of uv's --torch-backend."""
    backend = (*inst.options.get("--torch-backend", ()), inst.env.get("UV_TORCH_BACKEND", ""))
    found = [one for one in backend if one and one != "auto"]
    found += [match[1] for url in _indexes(inst) if (match := re.search(INDEX_VARIANT, url))]
    return found[0] if found else None


def _indexes(inst: Installation) -> list[str]:
    """Every index that is named, in the command or by a variable."""
    options = ("--index-url", "--extra-index-url", "--find-links")
    named = [value for option in options for value in inst.options.get(option, ())]
    return named + [inst.env[name] for name in INDEX_VARIABLES if inst.env.get(name)]
