"""FlashAttention 3 is imported by the wrong name, or was built for another torch.

It installs as flash-attn-3 (its builds also as flash_attn_3_cuda) and is imported as `flash_attn_interface`, not as
`flash_attn`. Shows as a missing flash_attn_interface, flash_attn_3 or flash_attn_3_cuda, or as an undefined symbol of
its library. Not for it: a GPU it has no kernels for (fa3-unsupported-gpu).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log

CATEGORY = "fa3-import-abi"
MODULES = (
    r"flash_attn_interface|flash_attn_3(?:_cuda|\._C|\.flash_attn_interface)?|flash_attn_3_cuda|hopper(?:\.\w+)?"
    r"|flashattn_hopper\w*"
)

SPOKEN_OF = (
    "lashattention3",
    "lashAttention3",
    "lashAttention-3",
    "lashAttention 3",
    "flash_attn_3",
    "hopper/setup.py",
)


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign in _loader.UNDEFINED:
        return _loader.speaks_for(CATEGORY, match, log)
    if match["plain"]:
        return match.strength if log.has(*SPOKEN_OF) and not log.has("transformers") else None
    if match.sign.literal == _loader.MISSING.literal:
        return match.strength if "flash_attn_3" in match.line.text and "libcudart" not in match.line.text else None
    return match.strength


def explain(match: Match, case: Case) -> str:
    found = _loader.undefined(match.line.text)
    if found is None:
        return (
            "FlashAttention 3 is a package of its own, flash-attn-3, imported as `from flash_attn_interface import "
            "flash_attn_func`. It is not installed for this Python, or it is imported by another name."
        )
    return (
        f"The FlashAttention 3 library asks for {_loader.in_words(found.symbol)}, which {_mending.torch(case)} does "
        "not define: it was compiled against another torch. Import torch before it, and take the build of this torch."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    plan = case.planned("flash_attention_3")
    if plan is not None:
        yield f"attn-doctor install flash_attention_3   ({plan.title})"
    yield from _mending.anew(case, "flash-attn-3")
    yield 'python -c "import torch; from flash_attn_interface import flash_attn_func"   (the test, from another folder)'


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="FlashAttention 3 is imported by the wrong name, or built for another torch",
    signs=(
        Sign(
            "No module named ",
            rf"No module named '?\"?(?:{MODULES})\b",
            PROOF,
            "Python; hopper/flash_attn_interface.py",
        ),
        Sign(
            "No module named ",
            r"No module named '?(?P<plain>flash_attn)(?:'|$)",
            PROOF,
            "Python: FlashAttention 2's name",
        ),
        Sign("from 'flash_attn_interface'", r"cannot import name", PROOF, "Python"),
        Sign("'_OpNamespace' 'flash_attn_3'", r"has no attribute", PROOF, "torch/_ops.py: its library was not loaded"),
        Sign(
            "flash_attn_3::",
            r"(?:operator|Didn't find|Could not find schema)[^\n]{0,40}flash_attn_3::\w+",
            SIGN,
            "torch",
        ),
        _loader.MISSING,
        *_loader.UNDEFINED,
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
