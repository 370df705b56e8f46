"""Alpine and its like: torch is published for glibc alone, and so is everything that is compiled against it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.knowledge import images
from attn_doctor.plan.dockerfile.case import Case
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.pip import Requirement
from attn_doctor.plan.dockerfile.stages import COMPILED_PACKAGES
from attn_doctor.plan.dockerfile.torches import has_unknown_index

TAG_END = r"(?a)(?P<before>[:-])alpine[\d.]*"


def no_torch(case: Case) -> Iterator[Finding]:
    """Where torch would come first; of what follows from it nothing more is said."""
    stage = case.stage
    if stage.torch is not None or case.inst.has("--find-links") or has_unknown_index(case.inst):
        return
    if any(_needs_torch(one) for one in case.inst.requirements):
        said = (
            f"{stage.image.reference} is built on musl, and torch is published for glibc alone: pip finds no version "
            "of it. glibc shims (gcompat) do not change that: take an image with glibc."
        )
        yield Finding("no-torch-for-musl", case.line, said, (f"FROM {_with_glibc(stage.image.reference)}",))


def _needs_torch(one: Requirement) -> bool:
    if one.url is not None and "musllinux" in one.url:
        return False
    if one.name == "torch":
        return one.url is None or one.url.partition("#")[0].endswith(".whl")  # else it is compiled here
    return one.name in ("torchaudio", *COMPILED_PACKAGES) or images.mover(one.name) is not None


def _with_glibc(reference: str) -> str:
    """'python:3.12-slim' for 'python:3.12-alpine3.20'; for an image that has none such, a plain distribution."""
    name = reference.partition("@")[0]
    if re.search(r"(?a)(?:^|/)python:", name) and (found := re.search(f"{TAG_END}$", name)):
        return f"{name[: found.start()]}{found['before']}slim"
    lets_pip_in = (row.image for row in images.table().distributions if row.image and not row.externally_managed)
    return next(lets_pip_in, images.table().distributions[0].name)
