"""One raw line as a reader sees it: without colour, and without what CI, docker or a scheduler puts in front."""

from __future__ import annotations

import re
from collections.abc import Iterator

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00\x07\x0e\x0f]")
# each at the start of a line, taken away as often as they come
PREFIXES = re.compile(
    r"""(?x)
    \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?\ ?          # GitHub Actions, kubectl logs
    | \#\d{1,4}\ (?:\d+\.\d+\ )?                                              # docker build: #12 34.56
    | \d{1,5}\.\d{3}\ (?!\w+\ ?[=<>])                                       # docker build, as repeated in the error
    | [A-Z][a-z]{2}\ [ \d]\d\ \d\d:\d\d:\d\d\ [\w.-]+\ [\w./@-]+(?:\[\d+\])?:\ # journald, syslog
    | \[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?\]?\ (?:-\ )?           # loggers
    | \[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?\ (?=\S|\ )                             # Jenkins, make
    | \((?:pid=)?[\w:.-]+,?\ (?:pid|ip)=[\w.:]+(?:,\ ip=[\w.:]+)?\)\ ?        # Ray
    | \[(?:default)?[rR]ank\ ?\d+\]:\ ?                                       # torchrun
    | \d+:\ (?=Traceback|\ \ File|[A-Z]\w+Error)                              # srun --label
    | [\u2500-\u257f\u25b6]+[\ >]?                                            # boxes and branches of pip, uv and rich
    | \xe2[\x80-\xbf\u0080-\u2122]{1,3}\ ?                                    # the same, decoded wrongly
    """
)
TRAILING_BOX = re.compile(r"\s*[\u2502\u2503|]\s*$")
LONGEST_PREFIX = 200


def clean(raw: str) -> Iterator[str]:
    """What a terminal leaves of a line: each state of a progress bar that ends in words, without prefixes."""
    for part in _states(raw.rstrip("\r")):
        text = ESCAPES.sub("", part) if "\x1b" in part or "\x00" in part or "\x07" in part else part
        yield _without_prefix(text).rstrip()


def _states(raw: str) -> list[str]:
    """The states that carriage returns overwrite: the last two say all that a reader would have seen."""
    if "\r" not in raw:
        return [raw]
    parts = [part for part in raw.split("\r") if part.strip()]
    return parts[-2:] or [""]


def _without_prefix(text: str) -> str:
    boxed = False
    for _ in range(6):
        bare = text.lstrip(" ")
        indent = len(text) - len(bare)
        found = PREFIXES.match(bare[:LONGEST_PREFIX])
        if found is None or not found[0]:
            break
        boxed = boxed or "\u2500" <= found[0][0] <= "\u257f"
        text = (" " * indent if found[0][0] not in "0123456789[(#" else "") + bare[found.end() :]
    return TRAILING_BOX.sub("", text) if boxed else text
