"""CUDA_VISIBLE_DEVICES as CUDA and torch read it."""

from __future__ import annotations

import msgspec


class Asked(msgspec.Struct, frozen=True):
    """What the variable asks for: `kind` is index, gpu or mig; `rest` begins at the first item that ends the list."""

    kind: str
    items: tuple[str, ...]
    rest: tuple[str, ...] = ()


def parse(value: str) -> Asked:
    """The list up to the first item of another kind, or below zero."""
    items = [item.strip() for item in value.split(",")]
    kind = _kind(items[0])
    end = next((place for place, item in enumerate(items) if _kind(item) != kind), len(items))
    return Asked(kind, tuple(items[:end]), tuple(items[end:])) if kind else Asked("", (), tuple(items))


def twice(asked: Asked) -> str | None:
    """The first item that is named more than once: CUDA then shows no GPU at all."""
    return next((item for item in asked.items if asked.items.count(item) > 1), None)


def _kind(item: str) -> str:
    lower = item.lower()
    return "gpu" if lower.startswith("gpu-") else "mig" if lower.startswith("mig-") else "index" * item.isdigit()
