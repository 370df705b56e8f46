"""The model's class has no code for the attention that is asked for.

transformers says so when it loads a model; the wording names FlashAttention 2 or 3, SDPA or flex_attention. A package
that is missing, or a value that does not exist at all, are other causes.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import SIGN, Cause, Match, Sign

ASKED = {"torch.nn": "SDPA", "flex": "flex_attention", "3": "FlashAttention 3"}


def explain(match: Match, _case: Case) -> str:
    name = match["model"] or "The model's class"
    what = next((asked for word, asked in ASKED.items() if word in (match["what"] or "")), "FlashAttention 2")
    if match.sign.strength == SIGN:
        return (
            "This model, in the installed transformers, takes no attention of that kind: its class came before "
            "it, or excludes it."
        )
    return (
        f"{name} has no code for {what} in the installed transformers (or in its own remote code). "
        "flash-attn itself may be "
        "installed and in order: installing it again changes nothing."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    sdpa = "torch.nn" in (match["what"] or "") or "'sdpa'" in match.line.text
    other = "eager" if sdpa else "sdpa"
    yield f'attn_implementation="{other}"' + ("" if sdpa else '   (and "eager", where sdpa is refused as well)')
    yield (
        "pip install --upgrade transformers   (many classes gained it since; the model page of its "
        "documentation says which)"
    )
    if case.log.has("trust_remote_code", "transformers_modules"):
        yield (
            "remote code: load without trust_remote_code where transformers has the model itself, or take a "
            "newer revision of it"
        )
    if match["model"] and "Vision" in (match["model"] or ""):
        yield 'a part of a model: attn_implementation={"text_config": "flash_attention_2", "vision_config": "sdpa"}'


CAUSE = Cause(
    category="model-lacks-fa2-support",
    stage="runtime",
    title="The model has no code for that attention",
    signs=(
        Sign(
            "does not support Flash Attention",
            r"(?:(?<!\w)(?P<model>\w{1,80})[`'\"]?)? does not support (?P<what>Flash Attention (?:2\.0|2|3|4))",
            by="transformers/modeling_utils.py",
        ),
        Sign(
            "does not support FlashAttention",
            r"(?<!\w)(?P<model>\w{1,80}) does not support (?P<what>FlashAttention[- ]?\d?)",
            by="models' own checks",
        ),
        Sign(
            "does not support flash attention",
            r"(?<!\w)(?P<model>\w{1,80}) does not support (?P<what>flash attention)",
            by="models' own checks",
        ),
        Sign(
            "does not support an attention implementation through",
            (
                r"(?:(?<!\w)(?P<model>\w{1,80}) )?does not support an attention implementation through "
                r"(?P<what>torch[\w.']+ ?\w*)"
            ),
            by="transformers/modeling_utils.py",
        ),
        Sign(
            "does not support setting its attention implementation dynamically",
            strength=SIGN,
            by="transformers/modeling_utils.py",
        ),
        Sign(
            "unexpected keyword argument",
            r"unexpected keyword argument '(?:attn_implementation|use_flash_attention_2|_attn_implementation)'",
            SIGN,
            by="Python: a class that came before it",
        ),
        Sign(
            "object has no attribute '_supports_",
            r"_supports_(?:sdpa|flash_attn)",
            SIGN,
            by="Python: remote code and transformers differ",
        ),
        Sign(
            "KeyError: 'flash_attention_2'",
            strength=SIGN,
            by="models: X_ATTENTION_CLASSES[config._attn_implementation]",
        ),
        Sign(
            "KeyError: 'flash_attention_3'",
            strength=SIGN,
            by="models: X_ATTENTION_CLASSES[config._attn_implementation]",
        ),
        Sign("KeyError: 'sdpa'", strength=SIGN, by="models: X_ATTENTION_CLASSES[config._attn_implementation]"),
        Sign(
            "which is not supported by Flash Attention 3", by="transformers/modeling_utils.py: ALiBi, attention_dropout"
        ),
        Sign(
            "not compatible with attn_implementation==flash_attention_2", strength=SIGN, by="transformers: static cache"
        ),
        Sign("`output_attentions=True` is not supported", strength=SIGN, by="transformers: configuration_utils"),
        Sign(
            "attention does not support `output_attentions`",
            r"^\s*(?:ValueError|raise)",
            SIGN,
            by="transformers: models",
        ),
        Sign("Flash Attention 2 and BetterTransformer API are not compatible", by="transformers/modeling_utils.py"),
    ),
    explain=explain,
    fix=fix,
)
