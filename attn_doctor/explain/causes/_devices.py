"""What a log says of CUDA_VISIBLE_DEVICES and of MIG."""

from __future__ import annotations

from functools import lru_cache

from attn_doctor.explain.log import Log

NAME = "CUDA_VISIBLE_DEVICES"
# as it is set: in a shell, in Python, in PowerShell, in a table of variables; not where torch's own message names it
SET = (
    r"CUDA_VISIBLE_DEVICES['\"]?\]?\s{0,3}(?:=|:|\bis\b|,)\s{0,3}(?:str\()?['\"]?(?P<value>[\w,. -]{0,60}"
    r"|GPU-[\w-]+)"
)
NONE_LEFT = (
    r"CUDA_VISIBLE_DEVICES['\"]?\]?\s{0,3}(?:=|:)\s{0,3}(?:['\"]\s*['\"]|['\"]?-1\b|['\"]?NoDevFiles|['\"]?\s*$)"
)
MIG = (
    r"\bMIG[- ](?:GPU-)?[0-9a-f]{4,8}|\bMIG \d+g\.\d+gb|\bMIG (?:devices?|mode|instances?|M\.)"
    r"|(?i:\bmigs?\b (?:enabled|profile))"
)
MIG_WORD = r"\bMIG\b"


@lru_cache(maxsize=8)
def asked(log: Log) -> str | None:
    """The value that the variable is given somewhere in the log; None where it is only named."""
    for line, found in log.find(NAME, SET):
        if found and "e.g. changing env variable" not in line.text and found["value"].strip():
            return found["value"].strip()
    return None


def set_inside(log: Log) -> bool:
    """Whether a program sets the variable itself, after it was started."""
    return any(True for _ in log.find(NAME, r"environ(?:\[|\.\w+\()\s?['\"]CUDA_VISIBLE_DEVICES"))


@lru_cache(maxsize=8)
def hidden(log: Log) -> bool:
    """Whether the variable hides every GPU."""
    return any(True for _ in log.find(NAME, NONE_LEFT))


@lru_cache(maxsize=8)
def mig(log: Log) -> bool:
    """Whether MIG plays a part: an identifier, a profile, the word; the plain table of nvidia-smi does not count."""
    return any("MIG M." not in line.text and "MIG Mode" not in line.text for line, _ in log.find("MIG", MIG_WORD))
