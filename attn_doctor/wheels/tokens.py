"""The words wheels are labelled with: versions, CUDA and torch as they stand in file names."""

from __future__ import annotations

import re
from functools import lru_cache

from attn_doctor.knowledge.versions import major_minor, numbers
from attn_doctor.wheels.tables import VersionKey

_VERSION = r"(\d+(?:\.\d+)*)(?:(a|b|rc)(\d+))?(?:\.post(\d+))?"
_STAGES = {"a": 0, "b": 1, "rc": 2}


def serves_minor(token: str | None, torch_minor: str) -> bool:
    """Whether a torch token ('2.8', '2.8.0', '>=2.9', None: any) can mean this torch minor."""
    if token is None:
        return True
    if token.startswith(">="):
        return numbers(torch_minor) >= numbers(major_minor(token[2:]))
    return major_minor(token) == major_minor(torch_minor)


@lru_cache(maxsize=1024)
def version_key(version: str) -> VersionKey:
    """A sortable key: 4.0.0b9 < 4.0.0b36 < 4.0.0 < 4.0.0.post1."""
    match = re.match(_VERSION, version)
    if match is None:
        return (numbers(version), 0, 0, -1)
    release, stage, stage_number, post = match.groups()
    rank = _STAGES[stage] if stage else len(_STAGES)
    return (numbers(release), rank, int(stage_number or 0), -1 if post is None else int(post))


def cuda_version(token: str | None) -> str | None:
    """'cu128' -> '12.8', 'cu12' -> '12', None -> None."""
    if token is None:
        return None
    digits = token.removeprefix("cu")
    return f"{digits[:2]}.{digits[2:]}" if digits[2:] else digits


def in_range(version: str, since: str | None, before: str | None) -> bool:
    """Whether a version is not before the one and before the other."""
    key = version_key(version)
    if since is not None and key < version_key(since):
        return False
    return before is None or key < version_key(before)
