"""What an image is known to hold, from its reference."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.knowledge import images

CUDA_TAG = r"(?a)(\d+\.\d+(?:\.\d+)?)(?:-cudnn\d*)?-(base|runtime|devel)(?:-([a-z]+[\d.]*))?"
TORCH_TAG = r"(?a)(\d+\.\d+\.\d+)-cuda(\d+\.\d+)-cudnn\d+-(runtime|devel)"
PYTHON_TAG = r"(?a)(3\.\d+)(?:\.\d+)?(?:-[\w.-]+)?"
UBUNTU = {"jammy": "22.04", "noble": "24.04", "focal": "20.04", "bionic": "18.04"}
MUSL_TAG = r"(?a)(?:.+-)?alpine[\d.]*"
MUSL_TOO = ("astral-sh/uv",)
PLAIN = ("ubuntu", "debian", "python", "fedora", "rockylinux", "almalinux", "alpine")


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """What the reference says. None: not known."""

    reference: str
    repository: str
    cuda: str | None = None
    """Of the toolkit in it, or that its libraries are of."""
    has_nvcc: bool | None = None
    python: str | None = None
    glibc: str | None = None
    torch: str | None = None
    distribution: str | None = None
    musl: bool = False
    """Its C library is musl, for which no torch is published."""


def image(reference: str) -> Image:
    """What is known of 'nvidia/cuda:12.8.1-devel-ubuntu24.04' and its like; of others that nothing is."""
    name, _, _digest = reference.partition("@")
    repository, _, tag = _without_registry(name).partition(":")
    if repository == images.table().repository and (found := re.fullmatch(CUDA_TAG, tag)):
        on = images.distribution(found[3] or "")
        return Image(
            reference=reference,
            repository=repository,
            cuda=found[1],
            has_nvcc=found[2] == "devel",
            python=on.python if on else None,
            glibc=on.glibc if on else None,
            distribution=on.name if on else None,
        )
    if repository == "pytorch/pytorch" and (found := re.fullmatch(TORCH_TAG, tag)):
        return Image(
            reference=reference, repository=repository, cuda=found[2], has_nvcc=found[3] == "devel", torch=found[1]
        )
    if repository in PLAIN:
        return _plain(reference, repository, tag)
    return Image(reference=reference, repository=repository, musl=_is_musl(repository, tag))


def _is_musl(repository: str, tag: str) -> bool:
    """Alpine, and Docker's own images on it; of others, some bring a glibc along."""
    own = "/" not in repository or repository in MUSL_TOO
    return repository == "alpine" or (own and re.fullmatch(MUSL_TAG, tag) is not None)


def _plain(reference: str, repository: str, tag: str) -> Image:
    """Images of distributions and of Python, which hold neither a toolkit nor torch."""
    python = re.fullmatch(PYTHON_TAG, tag) if repository == "python" else None
    on = images.distribution(f"ubuntu{UBUNTU.get(tag.partition('-')[0], tag)}") if repository == "ubuntu" else None
    return Image(
        reference=reference,
        repository=repository,
        has_nvcc=False,
        python=python[1] if python else on.python if on else None,
        glibc=on.glibc if on else None,
        distribution=on.name if on else None,
        musl=_is_musl(repository, tag),
    )


def _without_registry(name: str) -> str:
    """'nvidia/cuda:...' of 'registry.example:5000/nvidia/cuda:...'; 'ubuntu' of 'library/ubuntu'."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        name = rest
    return name.removeprefix("library/")
