"""A name that transformers (or a model's code) expects of flash-attn is not in it, or the reverse.

The two are of different times. Shows as "cannot import name 'is_flash_attn_...' from 'transformers.utils'", as names
missing from flash_attn, as "must be greater or equal than 2.1.0", as arguments that an old flash-attn does not take.
Not for it: flash-attn not installed at all (transformers-fa2-package-missing), or not loading (undefined symbol and the
like).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _mending
from attn_doctor.explain.log import Log
from attn_doctor.knowledge.requirements import requirement

CATEGORY = "transformers-fa-api-mismatch"
TRANSFORMERS = (
    r"cannot import name '(?P<name>\w{1,80})' from (?:partially initialized module )?"
    r"(?:'?(?P<module>transformers[\w.]*)|\W*$)"
)
ATTENTION = r"(?i)flash|attn|attention|sdpa"
FLASH = (
    r"cannot import name '(?P<flash>\w{1,80})' from (?:partially initialized module )?"
    r"'(?P<where>flash_attn(?!\.cute|_interface|_3)[\w.]*)'"
)
ARGUMENTS = (
    "softcap|window_size|block_table|alibi_slopes|deterministic|return_softmax_lse|cache_batch_idx|leftpad_k|s_aux"
    "|sinks|zero_tensors"
)


def weigh(match: Match, log: Log) -> Strength | None:
    if match["where"] and "unknown location" in match.line.text:
        return None  # a folder without the package
    if match["name"]:
        return PROOF if re.search(ATTENTION, match["name"]) else SIGN
    if match.sign.literal.startswith("KeyError"):
        return match.strength if log.has("transformers", "import_utils") else None
    if match.sign.literal == "too many values to unpack":
        return match.strength if log.has("unpad_input", "_upad_input", "bert_padding") else None
    return match.strength


def explain(match: Match, _case: Case) -> str:
    if match["name"]:
        return (
            f"{match['name']} is not in the transformers that is installed: it came with another release, or was "
            "renamed or taken out. The code that imports it (a model's own, or another package) was written for that "
            "one."
        )
    if match["flash"]:
        return (
            f"{match['flash']} is not in the flash-attn that is installed: its functions are named otherwise in other "
            "majors."
        )
    if match["least"]:
        return (
            f"transformers asks for flash-attn {match['least']} or later, and {match['have'] or 'an older one'} is "
            "installed."
        )
    if match["argument"]:
        return (
            f"The flash-attn that is installed does not know the argument {match['argument']}: it is older than its "
            "caller expects."
        )
    return (
        "transformers (or a model's code) and flash-attn are of different times: the one calls the other in a way it "
        "does not know."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    if match["name"]:
        yield (
            f"{_mending.pip(case)} -U transformers   (a package that was written for a newer one; with it accelerate, "
            "peft, trl)"
        )
        yield (
            "pip show transformers; pip check   (which release the caller demands: pin that one where the name was "
            "taken out)"
        )
        yield (
            "a model with code of its own: take its newer revision, or load it without trust_remote_code where "
            "transformers has it"
        )
        return
    yield from _builds.instead_of_building(case)
    least = needed(case)
    if case.plan is None:
        yield from _mending.anew(case, "flash-attn")
    if match["flash"] == "flash_attn_unpadded_func" or match["old"]:
        yield "code for flash-attn 1: flash_attn_unpadded_... is called flash_attn_varlen_... in flash-attn 2"
    elif least:
        yield f"flash-attn{least} is what this transformers takes"
    else:
        yield "or attn_implementation='sdpa': needs no flash-attn"


def needed(case: Case) -> str | None:
    """The specifier of flash-attn that the installed transformers demands, where both are known."""
    installed = case.machine.packages.get("transformers") if case.machine else None
    row = requirement("transformers", installed.version, "flash-attn") if installed else None
    return row.specifier if row else None


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="transformers and flash-attn (or a model's code) do not go together",
    signs=(
        Sign("cannot import name '", TRANSFORMERS, PROOF, "Python"),
        Sign("cannot import name '", FLASH, PROOF, "Python"),
        Sign("cannot import name 'is_flash_attn", r"name '(?P<name>\w+)'", PROOF, "Python"),
        Sign(
            "you need flash_attn package version to be greater or equal",
            r"than (?P<least>[\d.]+\d)[^\n]{0,80}?[Dd]etected version (?P<have>\S+\w)",
            PROOF,
            "transformers modeling_utils.py, 4.36 to 4.57",
        ),
        Sign(
            "requires at least version `",
            r"FlashAttention\d requires at least version `(?P<least>[\d.]+)`",
            PROOF,
            "transformers modeling_utils.py, 5.x",
        ),
        Sign(
            "No module named 'flash_attn.",
            r"No module named 'flash_attn\.(?P<old>flash_attention|flash_attn_triton|bert_padding|layers\b|ops\b"
            r"|modules\b|losses\b)",
            SIGN,
            "Python: modules of flash-attn 1, or a stripped one",
        ),
        Sign(
            "too many values to unpack",
            r"expected [45]",
            SIGN,
            "flash_attn.bert_padding.unpad_input returns five values from 2.7 on",
        ),
        Sign(
            "got an unexpected keyword argument '",
            r"(?:flash_attn\w*|_flash_attn\w*|varlen_fwd|fwd"
            rf"|bwd)\(\) got an unexpected keyword argument '(?P<argument>{ARGUMENTS})'",
            PROOF,
            "Python",
        ),
        Sign(
            "_flash_attention_forward() ",
            r"(?:got an unexpected|missing \d+ required|takes)",
            PROOF,
            "Python: model code for another transformers",
        ),
        Sign(
            "has no attribute '",
            r"no attribute '(?P<attribute>_flash_attn_uses_top_left_mask|_supports_flash_attn\w*"
            r"|_use_flash_attention_2|_flash_attention_forward|_check_and_enable_flash_attn_2|_use_sdpa)'",
            PROOF,
            "Python",
        ),
        Sign(
            "KeyError: 'flash_attn'",
            None,
            SIGN,
            "transformers: utils/import_utils.py, the mapping of installed packages",
        ),
        Sign(
            "_flash_supports_window_size",
            r"(?:NameError|ImportError|not defined|cannot import)",
            PROOF,
            "model code for another transformers",
        ),
        Sign("at least flash-attn", r"(?i)(?:requires?|need)", SIGN, "frameworks"),
        Sign("requires flash-attn>=", None, SIGN, "frameworks"),
        Sign(
            "Could not find the currently requested flash attention implementation",
            None,
            SIGN,
            "transformers modeling_flash_attention_utils.py",
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
