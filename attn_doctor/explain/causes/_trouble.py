"""Whether something in a log went wrong, apart from lines that are known to be harmless."""

from __future__ import annotations

import re
from functools import lru_cache

from attn_doctor.explain.causes import _banners
from attn_doctor.explain.log import Line, Log

SERIOUS = (
    r"(?i)\berror\b ?[:!]|\berror\b (?:C|LNK|MSB)\d|^(?:E  )?\s{0,8}[\w.]{0,80}(?:Error|Exception|Exit)\b ?(?::|$)"
    r"|\bfatal\b ?:|fatal error|\bKilled\b|core dumped|segmentation fault|non-zero exit|\bexit (?:code|status):? ?[1-9]"
    r"|cannot open shared object|undefined symbol|command not found|is not recognized as|did not complete successfully"
    r"|build stopped|\bFAILED\b|^Failed to|dll load failed|no space left|CUDA error|\bfail(?:ed|ure)\b"
    r"|^Traceback \(most|^E: "
)
# one of these stands in every such line: looked for first, for most lines have none
WORDS = (
    *("error", "exception", "exit", "fatal", "killed", "core dumped", "segmentation", "cannot open", "undefined"),
    *("not found", "not recognized", "did not", "stopped", "fail", "no space", "traceback", "e: "),
)
# said in passing: pip while it backtracks, git in a folder without history, progress in other words
PASSING = (
    r"\b(?i:0 errors?|no errors?|errors?: 0|error[-_ ]?(?:rate|bar|handling|free))\b|\[W\b"
    r"|^\W{0,3}(?:WARN(?:ING)?|INFO)\b"
    r"|[a-z]Warning: |\bwarning [#:]|: warning\b|fatal: not a git repository|ERROR: pip's dependency"
    r"|(?i:if you see (?:an )?error)"
    r"|\(ignored\)"
)
TRITON_TRACEBACK = r"No module named '?triton|^Traceback"


@lru_cache(maxsize=4)
def lines(log: Log) -> tuple[Line, ...]:
    """The lines that say that something went wrong."""
    pattern = re.compile(SERIOUS)
    return tuple(line for line in log.lines if _is_serious(line, pattern) and not passing(line, log))


def _is_serious(line: Line, pattern: re.Pattern[str]) -> bool:
    low = line.text.lower()
    return any(word in low for word in WORDS) and pattern.search(line.text) is not None


def passing(line: Line, log: Log) -> bool:
    """Whether a line sounds worse than it is."""
    if re.search(PASSING, line.text) or _banners.known(line):
        return True
    return log.has(*_banners.WITHOUT_TRITON) and bool(re.search(TRITON_TRACEBACK, line.text))


def any_but(log: Log, line: Line) -> bool:
    """Whether something else went wrong than what that line says."""
    return any(other != line for other in lines(log))


def after(log: Log, line: Line) -> bool:
    """Whether something went wrong after a line."""
    return any(other.number > line.number for other in lines(log))
