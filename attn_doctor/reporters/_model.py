"""What a model supports: what stands above, a row for each implementation, what is said below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Implementation, Model


class Row(msgspec.Struct, frozen=True):
    """One implementation. `colour`: the status whose colour it takes."""

    mark: str
    name: str
    state: str
    text: str
    colour: str


def above(model: Model) -> Iterator[str]:
    """The model and its parts; or that nothing is known of it, and why."""
    if model.unknown:
        yield model.unknown
        return
    first = model.parts[0]
    kind = f" ({model.model_type})" if model.model_type else ""
    yield f"{first.architecture}{kind} · transformers {model.transformers} · {first.source}"
    for part in model.parts[1:]:
        yield f"{part.key}: {part.architecture} ({part.model_type})"


def rows(model: Model) -> Iterator[Row]:
    """The best that can be used comes first."""
    for one in model.implementations:
        yield _row(one, model)


def below(model: Model) -> Iterator[str]:
    """What is selected, what would be better, and notes."""
    if model.by_itself:
        yield f"{model.by_itself} is selected where nothing is asked for"
    if model.use and model.use != model.by_itself:
        word = next(one.word for one in model.implementations if one.backend == model.use)
        yield f'better here: attn_implementation="{word}"'
    yield from model.notes


def _row(one: Implementation, model: Model) -> Row:
    mark = "+" if one.usable else "~" if one.supported else "-"
    state = "usable" if one.usable else "not here" if one.supported else "no" if one.supported is False else "not known"
    if one.supported is False and one.reason.endswith(" does not support it"):
        text = "" if len(model.parts) == 1 else one.reason
    else:
        text = one.reason.removeprefix("the model supports it, ")
    colour = one.status if one.usable or (one.supported and one.status != "ready") else "unsupported"
    return Row(mark, one.backend, state, text, colour)
