"""flash_attention_2 (or 3) is asked for, and flash_attn is not there for it.

What transformers, remote model code (check_imports) and diffusers say, and Python where nothing asks first. Not to be
taken for a flash-attn that is there and fails to load (an undefined symbol above), for one that is too old for
transformers, for its parts of other names (flash_attn.cute, flash_attn_interface, flash_attn_2_cuda), nor for the
hints of models that go on without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _attention, _builds
from attn_doctor.explain.log import Log

OLDER = ("you need flash_attn package version", "flash_attn package version to be greater or equal")
ON_CPU = "is not available on CPU"
BROKEN = ("undefined symbol", "DLL load failed", "cannot open shared object", "GLIBC_2", "GLIBCXX_3")
HARMLESS = (
    r"(?i)consider installing|fail(?:ed)?, please install|better performance|^\W*(?:warning|info)\b"
    r"|falling back|fallback"
)


def weigh(match: Match, log: Log) -> Strength | None:
    text = match.line.text
    if log.has(*OLDER) or ON_CPU in text or "requires compute capability" in text:
        return None  # transformers-fa-api-mismatch; no-gpu-visible; fa3-unsupported-gpu
    if log.has(*BROKEN):
        return SIGN if match.strength == PROOF else None  # it is there, and does not load
    if match.strength != PROOF and (_builds.during_a_build(match.line, log) or re.search(HARMLESS, text)):
        return None
    return match.strength


def explain(match: Match, _case: Case) -> str:
    if "3" in (match["series"] or "") or "flash_attn_3" in match.line.text:
        return "FlashAttention 3 was asked for and is not installed in this environment; it is a package of its own."
    if "This modeling file requires" in match.line.text:
        return (
            "The model brings code of its own that imports flash_attn, and transformers checks that before "
            "anything runs. "
            "The package is not installed in the environment of this Python."
        )
    return (
        "flash_attention_2 was asked for, and the package flash-attn is not installed in the environment of "
        "this Python."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    backend = (
        "flash_attention_3"
        if "3" in (match["series"] or "") or "flash_attn_3" in match.line.text
        else "flash_attention_2"
    )
    yield from _attention.planned(case, backend)
    if case.plan is None:
        yield f"attn-doctor install {backend}   (finds the file for this torch, or says what stands in the way)"
    yield f"without installing anything: {_attention.SDPA}"
    if "This modeling file requires" in match.line.text:
        yield (
            "the check looks at import lines: remote code with the import inside try passes it, as newer "
            "revisions of many models do"
        )


CAUSE = Cause(
    category="transformers-fa2-package-missing",
    stage="runtime",
    title="flash-attn is asked for and not installed",
    signs=(
        Sign(
            "has been toggled on, but it cannot be used",
            r"FlashAttention(?P<series>[23]) has been toggled on",
            by="transformers/modeling_utils.py",
        ),
        Sign("the package flash_attn seems to be not installed", by="transformers/modeling_utils.py"),
        Sign("the package flash_attn_3 seems to be not installed", by="transformers/modeling_utils.py"),
        Sign(
            "packages that were not found in your environment",
            r"not found in your environment:[^\n]{0,80}\bflash_attn\b",
            by="transformers/dynamic_module_utils.py, check_imports",
        ),
        Sign("pip install flash_attn`", by="transformers/dynamic_module_utils.py, last half of the message"),
        Sign("Flash Attention 2 is not available.", by="transformers 4.34 to 4.57"),
        Sign("Flash Attention 2.0 is not available.", by="transformers 4.34 and remote model code"),
        Sign(
            "lash Attention",
            r"Flash Attention (?:3 )?backend '[\w-]+' is not usable because of missing package",
            by="diffusers, attention_dispatch.py",
        ),
        Sign("No module named 'flash_attn'", strength=SIGN, by="Python"),
        Sign("No module named flash_attn", r"No module named flash_attn\s*$", SIGN, by="python -m"),
        Sign("No module named 'flash_attn_3'", strength=SIGN, by="Python"),
        Sign(
            "name '",
            (
                r"NameError: name '(?:_?flash_attn\w*|index_first_axis|unpad_input|pad_input"
                r"|_flash_supports_window_size)' is not defined"
            ),
            by="remote model code: the import stood under if",
        ),
        Sign("PackageNotFoundError", r"No package metadata was found for flash[_-]attn", by="importlib.metadata"),
        Sign(
            "lash",
            (
                r"(?i)(?:flash[ _-]?attn|flash[ -]?attention)(?: ?[23](?:\.0)?)?`?(?: package)? (?:is "
                r"|was )?(?:not|isn't) (?:been )?(?:installed|found)"
            ),
            SIGN,
            by="models' own checks",
        ),
        Sign("lease install", r"(?i)please (?:pip )?install `?flash[_-]attn", SIGN, by="models' own checks"),
        Sign("requires the flash", r"(?i)requires the flash[ _-]?att", SIGN, by="models' own checks"),
        Sign("'NoneType' object is not callable", r"flash_attn", HINT, by="models' own code"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
