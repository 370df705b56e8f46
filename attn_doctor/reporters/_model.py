"""What a model supports, as rows of text: a mark, what stands before, what hangs beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Implementation, Model

Row = tuple[str, str, str]  # label, text, the status whose colour it takes


def rows(model: Model) -> Iterator[Row]:
    """The section of `check --model`; the best that can be used comes first."""
    first = model.parts[0]
    kind = f" ({model.model_type})" if model.model_type else ""
    yield "model    ", f"{first.architecture}{kind} · transformers {model.transformers} · {first.source}", ""
    for part in model.parts[1:]:
        yield "         ", f"{part.key}: {part.architecture} ({part.model_type})", ""
    for one in model.implementations:
        yield _implementation(one, model)
    said = [f"{model.by_itself} is selected where nothing is asked for"]
    if model.use and model.use != model.by_itself:
        word = next(one.word for one in model.implementations if one.backend == model.use)
        said.append(f'better here: attn_implementation="{word}"')
    for text in (*said, *model.notes):
        yield "         ", text, ""


def _implementation(one: Implementation, model: Model) -> Row:
    mark = "+" if one.usable else "~" if one.supported else "-"
    state = "usable" if one.usable else "not here" if one.supported else "no" if one.supported is False else "not known"
    if one.supported is False and one.reason.endswith(" does not support it"):
        text = "" if len(model.parts) == 1 else one.reason
    else:
        text = one.reason.removeprefix("the model supports it, ")
    colour = one.status if one.usable or (one.supported and one.status != "ready") else "unsupported"
    return f"{mark} {one.backend:<18} {state:<12} ", text, colour
