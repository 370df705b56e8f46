"""The name of the attention implementation is not one that exists.

A slip of the pen, a name of another library, or one that a newer release knows. transformers, diffusers, vLLM and
SGLang each say which names they take.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _attention
from attn_doctor.explain.log import Log

NAMES = ("eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention")
MEANT = {
    "flash": "flash_attention_2",
    "fa": "flash_attention_2",
    "fa2": "flash_attention_2",
    "fa3": "flash_attention_3",
}


TWICE = "were used when loading the model, which are not compatible"


def weigh(match: Match, log: Log) -> Strength | None:
    if "does not support Flash Attention" in log.text:
        return None
    if match.sign.literal == "KeyError: '" and not log.matches(_attention.TRANSFORMERS):
        return None  # any table of a program
    return match.strength


def meant(name: str) -> str | None:
    """The name that was probably meant."""
    plain = name.lower().replace("-", "_").replace("attn", "attention")
    near = get_close_matches(plain, NAMES, n=1, cutoff=0.5)
    return MEANT.get(name.lower()) or MEANT.get(plain) or (near[0] if near else None)


def explain(match: Match, _case: Case) -> str:
    value = match["value"]
    if match.sign.literal == TWICE:
        return "The attention is chosen twice, by the old setting and by the new one, and the two differ."
    if value in NAMES or "not supported by" in match.line.text:
        return (
            f"{value!r} is a name that exists, but not for this model in the installed release: the message "
            "lists what it takes."
        )
    if value:
        return f"There is no attention implementation of the name {value!r}; the message lists those that exist."
    return (
        "The name that was given for the attention is not one that this program knows; the message lists "
        "those that exist."
    )


def fix(match: Match, _case: Case) -> Iterator[str]:
    value = match["value"]
    if match.sign.literal == TWICE:
        yield 'leave use_flash_attention_2 out, and say attn_implementation="flash_attention_2" alone'
        yield "where your code has neither: the model's config.json, or a program that sets the old one (upgrade it)"
        return
    vllm = (
        "VLLM" in match.line.text or "ttention backend" in match.line.text or "--attention-backend" in match.line.text
    )
    if value and value in NAMES:
        yield 'attn_implementation="sdpa", or pip install --upgrade transformers where the name came later'
    elif value and not vllm and (name := meant(value)):
        yield f'attn_implementation="{name}"'
    if vllm:
        yield "take a name of the list in the message, or leave the setting out: then it chooses by itself"
        return
    yield f"transformers takes: {', '.join(NAMES)}, and kernels of the Hub by their repository (owner/name)"
    yield "or leave attn_implementation out: transformers then takes sdpa where the model has it"


CAUSE = Cause(
    category="attn-implementation-bad-value",
    stage="runtime",
    title="There is no attention implementation of that name",
    signs=(
        Sign(
            "Specified `attn_implementation=",
            r"Specified `attn_implementation=[\"']?(?P<value>[^\"'`\n]{0,80})[\"']?`? is not supported",
            by="transformers/modeling_utils.py",
        ),
        Sign(TWICE, by="transformers/modeling_utils.py"),
        Sign(
            "for VLLM_ATTENTION_BACKEND",
            r"Invalid value '(?P<value>[^'\n]{0,60})' for VLLM_ATTENTION_BACKEND",
            by="vllm/envs.py",
        ),
        Sign(
            "ttention backend",
            r"(?:Invalid|Unknown|Unsupported) attention backend:? ?(?:for )?['\"]?(?P<value>\w*)",
            by="vllm, sglang",
        ),
        Sign(
            "ttention backend '",
            r"[Aa]ttention backend '(?P<value>[^'\n]{1,60})' is not supported by",
            by="sglang: multimodal_gen, the attention selector",
        ),
        Sign(
            "--attention-backend: invalid choice",
            r"invalid choice: '(?P<value>[^'\n]{0,60})'",
            by="argparse of vLLM and SGLang",
        ),
        Sign(
            "must be one of the following: ",
            r"backend=['\"](?P<value>\w+)['\"]`? must be one of the following",
            by="diffusers, set_attention_backend",
        ),
        Sign(
            " is not a valid AttentionBackendName",
            r"'(?P<value>[^'\n]{0,60})' is not a valid AttentionBackendName",
            by="diffusers: the enum",
        ),
        Sign(
            "attn",
            (
                r"(?i)(?:unknown|unrecognized|unsupported|invalid) (?:value for )?`?attn_(?:implementation|impl"
                r"|mode|type)`?\b(?:[:= ]{1,3}[\"']?(?P<value>\w+))?"
            ),
            by="models' own checks",
        ),
        Sign(
            "ttention",
            (
                r"(?i)(?:unknown|unrecognized|invalid) attention (?:implementation|mode"
                r"|type)[:= ]{0,3}[\"']?(?P<value>\w*)"
            ),
            SIGN,
            by="models' own checks",
        ),
        Sign(
            "KeyError: '",
            r"KeyError: '(?P<value>flash_attn(?:_2)?|flash-attn|flash_attention|fa2|flash)'",
            SIGN,
            by="models: a table of attention classes",
        ),
        Sign(
            "Could not find the currently requested flash attention implementation",
            strength=SIGN,
            by="transformers 5: modeling_flash_attention_utils",
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
